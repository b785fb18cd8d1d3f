"""What screens read: frozen pictures of the running trader, made on the loop thread in well under a millisecond. No
textual here, no database, nothing that changes anything."""
