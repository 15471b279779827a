"""The child: accepts, serves one request, repeats."""
