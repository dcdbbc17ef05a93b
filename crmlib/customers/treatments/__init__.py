"""What customers did about a message or a programme, and what was known of them before."""
