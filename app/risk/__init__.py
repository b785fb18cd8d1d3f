"""Pure rules: an intent goes in, Allow or Deny(reason, number, limit) comes out."""
