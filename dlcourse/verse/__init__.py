"""The rules of regulated Chinese verse: form, rhyme and tone, to judge poems by and to write them by."""
