#include "clients/cli/tokenize_stream.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "clients/cli/encoding_json.h"
#include "tokenizer/truncation.h"

namespace bertha::cli {
namespace {

constexpr size_t kBlockBytes = 256 * 1024;

tokenizer::EncodeOptions OptionsOf(const TokenizeRequest& request) {
  tokenizer::EncodeOptions options;
  if (request.max_length) {
    options.max_length = *request.max_length;
    options.stride = request.stride;
    options.truncation_strategy = request.strategy;
    options.truncation_side = request.side;
    options.max_overflow_tokens = RequestEncoder::kMaxOverflowTokens;
  }
  return options;
}

size_t CountSpecials(const tokenizer::Encoding& encoding) {
  return static_cast<size_t>(std::count(encoding.special_tokens_mask.begin(), encoding.special_tokens_mask.end(), 1));
}

}  // namespace

absl::Status RequestEncoder::Encode(const TokenizeRequest& request) {
  tokenizer::EncodeOptions options = OptionsOf(request);
  options.special_tokens_mask = options.offsets = options.char_offsets = options.word_ids = options.tokens = true;
  std::optional<absl::string_view> pair;
  if (request.pair) pair = *request.pair;
  overflow_.Clear();
  if (!request.max_length) return tokenizer_.Encode(request.text, pair, options, scratch_, encoding_);
  return tokenizer_.EncodeWithOverflow(request.text, pair, options, scratch_, encoding_, overflow_);
}

size_t RequestEncoder::CountTokens(absl::string_view text) {
  tokenizer::Encoding encoding;
  if (!tokenizer_.Encode(text, std::nullopt, {.special_tokens_mask = true}, scratch_, encoding).ok()) return 0;
  return encoding.ids.size() - CountSpecials(encoding);
}

size_t RequestEncoder::FirstTokens(const TokenizeRequest& request) {
  const size_t specials = CountSpecials(encoding_);
  if (!request.pair) return encoding_.ids.size() - specials;
  const tokenizer::Lengths lengths = {CountTokens(request.text), CountTokens(*request.pair)};
  const tokenizer::EncodeOptions options = OptionsOf(request);
  if (!encoding_.truncated()) return lengths.first;
  const auto kept = tokenizer::Truncate(lengths, /*is_pair=*/true, options.max_length - specials, options);
  return kept.ok() ? kept->first : 0;
}

void AnswerTokenizeLine(absl::string_view line, RequestEncoder& encoder, std::string* out) {
  const absl::StatusOr<TokenizeRequest> request = ParseTokenizeRequest(line);
  const absl::Status status = request.ok() ? encoder.Encode(*request) : request.status();
  if (status.ok()) {
    AppendEncodingLine(encoder.encoding(), encoder.overflow(), out);
  } else {
    AppendErrorLine(status.message(), out);
  }
}

absl::Status TokenizeStream(const tokenizer::Tokenizer& tokenizer, LineReader& lines,
                            const std::function<void(absl::string_view)>& write) {
  RequestEncoder encoder(tokenizer);
  std::string out;
  const auto flush = [&] {
    write(out);
    out.clear();
  };
  LineReader::Line line;
  while (true) {
    if (out.size() >= kBlockBytes || (!out.empty() && lines.WouldBlock())) flush();
    const absl::StatusOr<bool> more = lines.Next(&line);
    if (!more.ok() || !*more) {
      flush();
      return more.status();
    }
    if (line.size > kMaxRequestBytes) {
      AppendErrorLine(
          absl::StrCat("the line has ", line.size, " bytes; at most ", kMaxRequestBytes, " are read; split the text"),
          &out);
    } else {
      AnswerTokenizeLine(line.text, encoder, &out);
    }
  }
}

}  // namespace bertha::cli
