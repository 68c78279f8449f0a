"""Real mail programs, driven as a user drives them. The map:

seam                what a story may ask of any of them, and what it hears back
poplib_script curl fetchmail mpop                       fast; part of every test run
getmail net_pop3 net_pop node_pop3 thunderbird          slower, or more to install
scripts/            the small fetch programs for libraries that bring none
roster              all of them, by speed
"""
