"""What may be said of a text: taxonomy, lexicon, schemas of the tag folder, authored examples."""
