# The project's jobs. `make help` names them.

# make run ARGS='--upstream imaps://imap.example.org' starts the bridge for a real server.
ARGS =
# make test TESTS='tests/pop3 -k stuffing' runs a part.
TESTS =
# make soak TESTS='-k dovecot' EXAMPLES=200 is a short one. What it finds is printed step by step.
EXAMPLES = 2000
# make bench BENCH='--rounds 9 retr-small' measures one thing more closely.
BENCH =
# Which stories `make stories` runs. CI takes the slow ones but for the minutes of the model test: `make check` has just
# run the others.
STORIES = story or slow

BIN = .venv/bin
ISLANDS = bridge/pop3/*,bridge/imap/*,bridge/maildrop/*,bridge/passwords/*,bridge/sasl.py,bridge/names.py,bridge/secret.py,bridge/violation.py,bridge/events.py
# In CI a failed test has a second try, and is named as rerun: servers of others now and then lose an answer on a busy
# machine. A test that needs its second try more than once is to be mended.
PYTEST = pytest --durations=10 $(if $(CI),--reruns 1) $(if $(TESTS),,-n $(WORKERS) --dist loadfile) $(TESTS)
# Tests side by side, a file's one after the other: most of them wait. A part that TESTS names runs alone.
WORKERS = 3

.PHONY: help run test stories soak check lint format bench clean

help: ## names the jobs
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 10

run: .venv/with-demo ## starts the bridge with sample mail on 127.0.0.1:1110; with ARGS='--upstream imaps://…' for a real server
ifeq ($(strip $(ARGS)),)
	@exec $(BIN)/popbridge demo
else
	@exec $(BIN)/twistd -n --pidfile= popbridge $(if $(filter --pop3% --config%,$(ARGS)),,--pop3 127.0.0.1:1110) $(ARGS)
endif

test: .venv/with-check ## runs the tests, but for the large and the long
	@sh tests/install/peers.sh test
	$(BIN)/$(PYTEST) -m "not slow and not soak"

stories: .venv/with-check ## runs everything that needs real servers and clients, the large and the long too
	@sh tests/install/peers.sh stories
	$(BIN)/$(PYTEST) -m "($(STORIES)) and not soak"

soak: .venv/with-check ## runs the longest tests, then IMAP users, POP3 sessions and SIGKILL at random, EXAMPLES=2000 on each server
	@sh tests/install/peers.sh stories
	nice $(BIN)/pytest -m soak $(TESTS)
	POPBRIDGE_EXAMPLES=$(EXAMPLES) nice $(BIN)/pytest -s -m slow tests/stories/model/test_model.py $(TESTS)

check: lint ## looks at format, style, types and layers, then runs the tests and reports what they covered
	@sh tests/install/peers.sh test
	$(BIN)/$(PYTEST) --cov --cov-report= -m "not slow and not soak"
	@$(BIN)/coverage report --skip-covered --fail-under=100 --include='$(ISLANDS)'
	@$(BIN)/coverage report --skip-covered

lint: .venv/with-check
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/with-check ## formats the code, and mends of its style what can be mended safely
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: .venv/with-bench ## measures beside Dovecot, in 25 minutes; with BENCH=--quick in 3, with BENCH='poll*' a part
	@sh tests/install/peers.sh test
	$(BIN)/python -m bench $(BENCH)

clean: ## removes what the jobs have made
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* htmlcov
	rm -rf tests/install/npm/node_modules twisted/plugins/dropin.cache

# "check" and "bench" hold "test", and that "demo".
.venv/with-%: pyproject.toml tests/install/venv.sh
	@sh tests/install/venv.sh $*
	@touch .venv/with-demo $@
