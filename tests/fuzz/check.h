// FUZZ_CHECK: a property that must hold of every input. libFuzzer takes the abort for a crash and keeps the input.
#ifndef BERTHA_TESTS_FUZZ_CHECK_H_
#define BERTHA_TESTS_FUZZ_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <string>

namespace bertha::tokenizer::fuzz {

[[noreturn]] inline void Fail(const char* file, int line, const char* property, const std::string& details) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n%s\n", file, line, property, details.c_str());
  std::abort();
}

}  // namespace bertha::tokenizer::fuzz

/// `details`: a std::string, made only if the property does not hold.
#define FUZZ_CHECK_THAT(property, details) \
  ((property) ? static_cast<void>(0) : ::bertha::tokenizer::fuzz::Fail(__FILE__, __LINE__, #property, details))
#define FUZZ_CHECK(property) FUZZ_CHECK_THAT(property, "")

#endif  // BERTHA_TESTS_FUZZ_CHECK_H_
