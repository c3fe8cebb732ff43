// What the command line reads from, in tests.
#ifndef BERTHA_TESTS_CLI_SOURCES_H_
#define BERTHA_TESTS_CLI_SOURCES_H_

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "absl/strings/string_view.h"
#include "tests/catch.h"

namespace bertha::cli {

/// A pipe whose writing end stays open until Close: what a live source looks like.
class Pipe {
 public:
  Pipe() { REQUIRE(pipe2(ends_.data(), O_CLOEXEC) == 0); }
  ~Pipe() {
    close(ends_[0]);
    Close();
  }
  int fd() const { return ends_[0]; }
  void Write(absl::string_view text) {
    REQUIRE(write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void Close() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// A file without a name that holds `text`.
class TempFile {
 public:
  explicit TempFile(absl::string_view text) {
    REQUIRE(file_ != nullptr);
    REQUIRE(std::fwrite(text.data(), 1, text.size(), file_) == text.size());
    std::rewind(file_);
  }
  ~TempFile() { std::fclose(file_); }
  int fd() const { return fileno(file_); }

 private:
  std::FILE* file_ = std::tmpfile();
};

}  // namespace bertha::cli

#endif  // BERTHA_TESTS_CLI_SOURCES_H_
