#include "clients/cli/input_reader.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

absl::Status CheckUtf8(absl::string_view what, absl::string_view text) {
  const auto offset = FindInvalidUtf8(text);
  if (!offset) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is not UTF-8: bad byte at offset ", *offset, "; convert it, e.g. with iconv"));
}

}  // namespace

InputReader::InputReader(std::vector<std::string> texts, InputOptions options)
    : options_(std::move(options)), texts_(std::move(texts)) {}

InputReader::InputReader(int fd, InputOptions options) : options_(std::move(options)) {
  lines_.emplace(fd, options_.max_text_bytes);
}

absl::StatusOr<bool> InputReader::ReadPending() {
  if (pending_) return true;
  if (lines_) {
    LineReader::Line line;
    auto more = lines_->Next(&line);
    if (more.ok() && *more) pending_ = std::move(line);
    return more;
  }
  if (next_text_ == texts_.size()) return false;
  LineReader::Line line{.text = std::move(texts_[next_text_++])};
  line.size = line.text.size();
  pending_ = std::move(line);
  return true;
}

Input InputReader::MakeInput(LineReader::Line line) {
  Input input{.index = next_index_++, .text = std::move(line.text), .pair = options_.pair};
  if (line.size > options_.max_text_bytes) {
    input.text.clear();
    input.problem = absl::InvalidArgumentError(
        absl::StrCat("text has ", line.size, " bytes; at most ", options_.max_text_bytes, " are sent; shorten it"));
    return input;
  }
  input.problem = CheckUtf8("text", input.text);
  if (options_.parse && input.problem.ok()) input.problem = options_.parse(input);
  if (!options_.pair_separator.empty()) {
    const size_t at = input.text.find(options_.pair_separator);
    if (at != std::string::npos) {
      input.pair = input.text.substr(at + options_.pair_separator.size());
      input.text.resize(at);
    } else if (input.problem.ok()) {
      input.problem = absl::InvalidArgumentError(
          absl::StrCat("no pair: the separator '", absl::CEscape(options_.pair_separator), "' is not in the text"));
    }
  }
  return input;
}

absl::StatusOr<Chunk> InputReader::Next() {
  Chunk chunk;
  size_t bytes = 0;
  while (chunk.inputs.size() < options_.max_inputs) {
    if (!chunk.inputs.empty() && !pending_ && lines_ && lines_->WouldBlock()) break;
    const auto more = ReadPending();
    if (!more.ok() && chunk.inputs.empty()) return more.status();
    if (!more.ok() || !*more) break;  // an error comes again with the next call, after these inputs
    bytes += pending_->text.size() + (options_.pair ? options_.pair->size() : 0);
    if (!chunk.inputs.empty() && bytes > options_.max_bytes) break;
    chunk.inputs.push_back(MakeInput(*std::exchange(pending_, std::nullopt)));
  }
  if (lines_) chunk.end_bytes = lines_->consumed();
  return chunk;
}

}  // namespace bertha::cli
