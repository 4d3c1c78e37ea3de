"""Data sets: facts known before reading, splits held in memory, batches cut from them."""
