"""Text as numbers: tokenizers, vocabularies and ragged arrays of ids, shaped like torchtext's and free of torch."""
