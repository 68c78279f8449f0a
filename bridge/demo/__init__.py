"""The embedded IMAP server of `popbridge demo` and its sample mail."""
