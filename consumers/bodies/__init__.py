"""What may be asked for, whichever door it comes by: the API's bodies and the dashboard's forms."""
