# SPDX-License-Identifier: MIT
#
# A thin front: what is built, and how, is meson.build's.
#
#	make		build/myriad and the libraries
#	make run	install what is missing, build, serve echo on 127.0.0.1:50007
#	make test	everything; ends with "N passed, M failed"
#	make asan tsan valgrind clang fuzz bench install clean

BUILD   ?= build
PORT    ?= 50007
NINJA   ?= ninja
OPTIONS ?=

all: $(BUILD)/build.ninja
	@$(NINJA) -C $(BUILD) product

# Configured again when a package that was missing has been installed (scripts/deps removes the file).
$(BUILD)/build.ninja:
	@scripts/deps --check
	@meson setup $(BUILD) $(OPTIONS) $(if $(wildcard $(BUILD)/meson-private/coredata.dat),--reconfigure)

run:
	@scripts/deps core store
	@$(MAKE) --no-print-directory all
	@printf '%s\n' '' 'Talk to it from another terminal:' \
		"    printf 'hello\\n' | nc -N 127.0.0.1 $(PORT)" "    $(BUILD)/myriad connect $(PORT)" ''
	@exec $(BUILD)/myriad serve echo $(PORT)

test:
	@scripts/deps core store test
	@$(MAKE) --no-print-directory all
	@scripts/run-tests $(BUILD)

# The whole suite again, in build folders of their own.
asan:
	@$(MAKE) --no-print-directory test BUILD=build-asan OPTIONS='$(OPTIONS) -Db_sanitize=address,undefined -Db_lundef=false'

tsan:
	@$(MAKE) --no-print-directory test BUILD=build-tsan OPTIONS='$(OPTIONS) -Db_sanitize=thread -Db_lundef=false'

clang:
	@CC=clang $(MAKE) --no-print-directory test BUILD=build-clang

# The tests without a kernel in them: valgrind is slow, and deadlines are real.
valgrind:
	@scripts/deps core store test valgrind
	@$(MAKE) --no-print-directory all
	@scripts/run-tests $(BUILD) --setup=valgrind --suite=unit --suite=sim

# Each fuzz target for SECONDS, with clang's libFuzzer.
SECONDS ?= 60
fuzz:
	@test/fuzz/run.sh $(SECONDS)

bench: all
	@bench/run $(BUILD)/myriad

install: all
	@meson install -C $(BUILD) --no-rebuild

clean:
	@rm -rf build build-asan build-tsan build-clang build-fuzz

.PHONY: all run test asan tsan clang valgrind fuzz bench install clean
