"""What the linear baseline is made of: weighted n-grams, a classifier, and the comparison with runs."""
