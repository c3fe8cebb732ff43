// `bertha tokenize`: what a tokenizer makes of texts, for people or as JSON lines. Needs no server.
#ifndef BERTHA_CLIENTS_CLI_TOKENIZE_COMMAND_H_
#define BERTHA_CLIENTS_CLI_TOKENIZE_COMMAND_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace bertha::cli {

struct TokenizeOptions {
  enum class Format { kView, kJson, kRequests };

  /// Path of a tokenizer.json, or else of a model package's directory that has one; the other is empty.
  std::string tokenizer;
  std::string package;
  /// Texts of the command line. None, or only "-": lines of standard input.
  std::vector<std::string> texts;
  std::optional<std::string> pair;
  /// As in TokenizeRequest.
  std::optional<size_t> max_length;
  size_t stride = 0;
  tokenizer::TruncationStrategy strategy = tokenizer::TruncationStrategy::kLongestFirst;
  tokenizer::TruncationSide side = tokenizer::TruncationSide::kRight;
  /// kRequests: JSON lines in and out, and all of the above but `tokenizer` and `package` is in them.
  Format format = Format::kView;
};

/// Returns the exit code.
int RunTokenize(const TokenizeOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_TOKENIZE_COMMAND_H_
