"""Real mail programs, driven as a user drives them. The map:

seam                what a story may ask of any of them, and what it hears back
promises            what every one of them must get from a POP3 server
poplib_script curl fetchmail mpop                       fast; part of every test run
getmail net_pop3 net_pop node_pop3 thunderbird          slower, or more to install
script, scripts/    the small fetch programs for libraries that bring none
marionette          how Thunderbird is told what to do
roster              all of them, by speed, and as parameters of tests
"""
