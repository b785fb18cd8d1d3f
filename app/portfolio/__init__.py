"""Pure accounting: postings, lots, positions, profit and loss."""
