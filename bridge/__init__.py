"""Popbridge: a POP3 server for mail that lives in IMAP or POP3 accounts elsewhere. The map:

names, secret, violation, events   the vocabulary everything else speaks
pop3/                              POP3 on the wire, both halves of a conversation
imap/                              IMAP on the wire: what we ask, what the server says
maildrop/                          the model both banks share: listing, numbers, UIDLs, marks
sasl                               the authentication exchanges, both roles
passwords/                         what is kept of a password of our own, and how it is proved
config, tls                        what the machine and its owner give us
accounts/                          which login belongs to which upstream
credentials/                       who proves what to whom
postoffice/                        from an account to an open maildrop
downstream/                        the bank where mail programs connect
upstream/                          the bank where the mail lives
telemetry/                         readers of the events: logs
demo/                              an embedded IMAP server with sample mail
service, plugin, cli               assembly
"""
