# The front door. Meson and Ninja do the work, under build/.
JOBS ?= 2
.PHONY: help demo build test test-programs bench fuzz soak nightly lint format install uninstall clean setup setup-demo

help:
	@echo "make demo     curl in hawser run fetches 100 MB over two uplinks, one cut and restored on the way"
	@echo "make build    build the libraries and the command (build/release)"
	@echo "make test     everything: gcc and clang, sanitizers, layers, interop with the kernel, hostile peers"
	@echo "make test-programs  curl, ssh, git, databases, browsers and others through hawser run; installs them"
	@echo "make bench    what it costs beside the kernel in the same run, each with a bar that fails: throughput unlimited and at"
	@echo "              1 Gbit/s, exchanges, acknowledgements, connections, a program's start; memory of a connection and of a pair; the simulator"
	@echo "make fuzz     the fuzzers and mobs of hostile peers, FUZZ_SECONDS each (default 300)"
	@echo "make soak     half an hour of load by every door and both families of addresses while uplinks fail in all ways"
	@echo "make nightly  valgrind, 100,000 stories, three deviations, the fuzzers: three quarters of an hour"
	@echo "make lint     clang-tidy and cppcheck over the sources"
	@echo "make format   clang-format over the sources"
	@echo "make install  install (DESTDIR and PREFIX are honoured); make uninstall takes that away again"
	@echo "make clean    remove build/"

setup:
	@tools/setup test

setup-demo:
	@tools/setup demo

build:
	@tools/setup build
	@JOBS=$(JOBS) PREFIX=$(PREFIX) tools/release

demo: setup-demo build
	@tools/demo build/release/apps/hawser

test: setup
	@tools/test

test-programs: setup
	@tools/test-programs

bench: setup build
	@bench/all build/release/apps/hawser

fuzz: setup
	@tools/fuzz

soak: setup build
	@tests/soak/run build/release/apps/hawser

nightly: setup build
	@tools/nightly

lint: setup
	@test -f build/lint/build.ninja || CC=clang CXX=clang++ meson setup build/lint >/dev/null
	@ninja -C build/lint apps/commit.h >/dev/null
	@git ls-files 'src/*.c' 'sim/*.c' 'apps/*.c' | xargs -P2 -n8 clang-tidy -p build/lint --quiet 2>/dev/null
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr -I include -I src -I apps -I . src sim apps

format: setup
	@git ls-files -co --exclude-standard '*.[ch]' '*.cc' | xargs clang-format -i

install: build
	@meson install -C build/release --no-rebuild

uninstall:
	@ninja -C build/release uninstall >/dev/null

clean:
	@rm -rf build
