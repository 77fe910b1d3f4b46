"""What: one verb a file, one DVC stage a file."""
