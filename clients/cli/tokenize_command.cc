#include "clients/cli/tokenize_command.h"

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "clients/cli/encoding_json.h"
#include "clients/cli/encoding_view.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/input_reader.h"
#include "clients/cli/line_reader.h"
#include "clients/cli/terminal.h"
#include "clients/cli/tokenize_stream.h"

namespace bertha::cli {
namespace {

using tokenizer::Tokenizer;

/// What to do about a path that is not what the option wants.
std::string Advice(const TokenizeOptions& options) {
  if (!options.package.empty()) {
    std::error_code error;
    return std::filesystem::is_directory(options.package, error)
               ? "; a package is the directory with bertha.json and tokenizer.json, e.g. demo/models/sentiment-bert/1"
               : "; --package takes a directory, --tokenizer a file";
  }
  return "; check the path";
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const TokenizeOptions& options) {
  const std::string path = options.package.empty() ? options.tokenizer : options.package + "/tokenizer.json";
  absl::StatusOr<std::unique_ptr<const Tokenizer>> tokenizer = Tokenizer::FromFile(path);
  if (!absl::IsNotFound(tokenizer.status())) return tokenizer;
  return absl::NotFoundError(absl::StrCat(tokenizer.status().message(), Advice(options)));
}

/// The tokens that stand for what a vocabulary does not have, by the names that all published files give them.
std::vector<int32_t> UnknownIds(const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (const char* name : {"[UNK]", "<unk>"}) {
    if (const auto id = tokenizer.TokenToId(name)) ids.push_back(*id);
  }
  return ids;
}

/// Texts one by one to what is printed of them.
class TextTokenizer {
 public:
  TextTokenizer(const TokenizeOptions& options, const Tokenizer& tokenizer)
      : options_(options), encoder_(tokenizer), view_(UseColor(), UnknownIds(tokenizer)) {}

  std::string Answer(Input input) {
    const TokenizeRequest request{.text = std::move(input.text),
                                  .pair = std::move(input.pair),
                                  .max_length = options_.max_length,
                                  .stride = options_.stride,
                                  .strategy = options_.strategy,
                                  .side = options_.side};
    const absl::Time start = absl::Now();
    const absl::Status status = input.problem.ok() ? encoder_.Encode(request) : input.problem;
    const double time_us = absl::ToDoubleMicroseconds(absl::Now() - start);
    if (status.ok()) return Show(request, time_us);
    ++failed_;
    if (first_failure_.empty()) first_failure_ = absl::StrCat(input.index, ": ", status.message());
    return ShowError(status);
  }

  std::string End() const { return options_.format == TokenizeOptions::Format::kView ? view_.End() : ""; }

  size_t failed() const { return failed_; }
  /// Index and message.
  const std::string& first_failure() const { return first_failure_; }

 private:
  std::string Show(const TokenizeRequest& request, double time_us) {
    if (options_.format == TokenizeOptions::Format::kView) {
      return view_.Show({.request = request,
                         .encoding = encoder_.encoding(),
                         .overflow = encoder_.overflow(),
                         .first_tokens = encoder_.FirstTokens(request),
                         .time_us = time_us});
    }
    std::string line;
    AppendEncodingLine(encoder_.encoding(), encoder_.overflow(), &line);
    return line;
  }

  std::string ShowError(const absl::Status& error) const {
    if (options_.format == TokenizeOptions::Format::kView) return view_.ShowError(error);
    std::string line;
    AppendErrorLine(error.message(), &line);
    return line;
  }

  const TokenizeOptions& options_;
  RequestEncoder encoder_;
  EncodingView view_;
  size_t failed_ = 0;
  std::string first_failure_;
};

void WarnOfTerminal(absl::string_view what) {
  if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
    PrintError(absl::StrCat("reading ", what, " from the terminal, one a line; Ctrl-D ends"));
  }
}

int AnswerRequests(const Tokenizer& tokenizer) {
  WarnOfTerminal("JSON objects");
  LineReader lines(STDIN_FILENO, kMaxRequestBytes);
  const absl::Status status = TokenizeStream(tokenizer, lines, WriteOut);
  if (status.ok()) return kExitOk;
  PrintError(absl::StrCat("stopped: cannot read standard input: ", status.message()));
  return kExitFailed;
}

int AnswerTexts(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  const bool from_input = options.texts.empty() || options.texts == std::vector<std::string>{"-"};
  if (from_input) WarnOfTerminal("texts");
  InputOptions how{.max_text_bytes = kMaxRequestBytes, .pair = options.pair};
  InputReader reader =
      from_input ? InputReader(STDIN_FILENO, std::move(how)) : InputReader(options.texts, std::move(how));
  TextTokenizer texts(options, tokenizer);
  size_t count = 0;
  absl::StatusOr<Chunk> chunk;
  for (chunk = reader.Next(); chunk.ok() && !chunk->inputs.empty(); chunk = reader.Next()) {
    for (Input& input : chunk->inputs) {
      const bool apart = count++ > 0 && options.format == TokenizeOptions::Format::kView;
      WriteOut(absl::StrCat(apart ? "\n" : "", texts.Answer(std::move(input))));
    }
  }
  WriteOut(texts.End());
  if (texts.failed() > 0) {
    PrintError(absl::StrCat(texts.failed(), " of ", count, count == 1 ? " text" : " texts",
                            " failed; the first: index ", texts.first_failure()));
  }
  if (!chunk.ok()) {
    PrintError(absl::StrCat("stopped after ", count, " texts: cannot read on: ", chunk.status().message()));
  }
  return texts.failed() == 0 && chunk.ok() ? kExitOk : kExitFailed;
}

}  // namespace

int RunTokenize(const TokenizeOptions& options) {
  const auto tokenizer = Load(options);
  if (!tokenizer.ok()) {
    PrintError(tokenizer.status().message());
    return kExitUsage;
  }
  if (options.format == TokenizeOptions::Format::kRequests) return AnswerRequests(**tokenizer);
  return AnswerTexts(options, **tokenizer);
}

}  // namespace bertha::cli
