#include "clients/cli/answer_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/answers_output.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/question_line.h"
#include "clients/cli/rpc_caller.h"
#include "clients/cli/terminal.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

/// No server takes more in one message.
constexpr size_t kMostContextBytes = 64 << 20;

struct AnswerTask {
  using Request = v1::AnswerRequest;
  using Response = v1::AnswerResponse;
  static constexpr auto kMethod = &v1::Bertha::Stub::Answer;

  static void AddInput(const Input& input, Request& request) {
    v1::QuestionInput* sent = request.add_inputs();
    sent->set_question(input.text);
    if (input.pair) sent->set_context(*input.pair);
  }
  static FoundAnswers ToBody(const v1::AnswerResult& result) {
    FoundAnswers found{.no_answer_score = result.no_answer_score()};
    for (const v1::FoundAnswer& a : result.answers()) {
      found.answers.push_back({a.text(), a.score(), ToRange(a.bytes()), ToRange(a.chars()), a.no_answer()});
    }
    return found;
  }
};

v1::AnswerRequest Prototype(const AnswerOptions& options) {
  auto request = RequestOf<v1::AnswerRequest>(options.run);
  v1::AnswerOptions& wire = *request.mutable_options();
  wire.set_top_k(options.top_k);
  wire.set_max_answer_tokens(options.max_answer_tokens);
  wire.set_allow_no_answer(options.allow_no_answer);
  if (options.run.stride) wire.set_stride(*options.run.stride);
  return request;
}

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path) {
  std::string content;
  std::array<char, 1 << 16> buffer;
  while (content.size() <= kMostContextBytes) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got == 0) return content;
    if (got < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
    if (got > 0) content.append(buffer.data(), static_cast<size_t>(got));
  }
  return absl::InvalidArgumentError(absl::StrCat(path, " has more than ", kMostContextBytes, " bytes"));
}

absl::StatusOr<std::string> ReadContext(const std::string& path) {
  if (path == "-") return ReadAll(STDIN_FILENO, "standard input");
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  const absl::Cleanup close_file = [fd] { close(fd); };
  return ReadAll(fd, path);
}

/// The inputs' common context, or how a line holds both; an error for a context that no server would take.
absl::StatusOr<InputOptions> HowToRead(const AnswerOptions& options) {
  if (!options.context && !options.context_file) return InputOptions{.parse = ParseQuestionLine};
  auto context = options.context ? *options.context : ReadContext(*options.context_file);
  if (!context.ok()) return context.status();
  if (const auto offset = FindInvalidUtf8(*context)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the context is not UTF-8: bad byte at offset ", *offset, "; convert it, e.g. with iconv"));
  }
  return InputOptions{.pair = *std::move(context)};
}

}  // namespace

int RunAnswer(const AnswerOptions& options) {
  auto how = HowToRead(options);
  if (!how.ok()) {
    PrintError(how.status().message());
    return kExitUsage;
  }
  const bool json_lines = how->parse != nullptr;
  RpcCaller<AnswerTask> caller(options.run.server, Prototype(options));
  const auto writer = options.json
                          ? MakeAnswersJson()
                          : MakeAnswersView(StyleOfOutput(), IsSingleText(options.run), options.allow_no_answer);
  return RunTexts(options.run, *std::move(how), caller, *writer,
                  json_lines ? R"(JSON objects {"question", "context"})" : "questions");
}

}  // namespace bertha::cli
