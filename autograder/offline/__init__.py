"""What makes a course work without a network: data and models fetched once, kept in an ordinary Hugging Face cache."""
