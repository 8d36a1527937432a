"""What the compiler made of a kernel: its binary read, its instructions counted, and the report."""
