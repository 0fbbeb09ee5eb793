"""What is measured: quality, speed, memory. Prints tables; nothing in the product imports it."""
