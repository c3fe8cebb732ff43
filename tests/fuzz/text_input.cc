#include "tests/fuzz/text_input.h"

#include <algorithm>
#include <cstdint>

namespace bertha::tokenizer::fuzz {
namespace {

/// Size of the well-formed sequence that `text`, which is not empty, begins with; 0 if there is none.
size_t SequenceSize(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  size_t size = 0;
  while (size < 8 && (first & (0x80 >> size)) != 0) ++size;  // the leading ones
  if (size == 0) return 1;
  if (size == 1 || size > 4 || size > text.size()) return 0;
  uint32_t cp = first & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if (next < 0x80 || next > 0xBF) return 0;
    cp = cp * 64 + (next - 0x80u);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = cp >= 0xD800 && cp <= 0xDFFF;
  return cp < kSmallest[size] || cp > 0x10FFFF || surrogate ? 0 : size;
}

}  // namespace

std::optional<TextInput> ParseTextInput(absl::string_view data) {
  if (data.size() < kTextInputHeader) return std::nullopt;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(data[i]); };
  constexpr TruncationStrategy kStrategies[] = {TruncationStrategy::kLongestFirst, TruncationStrategy::kOnlyFirst,
                                                TruncationStrategy::kOnlySecond, TruncationStrategy::kLongestFirst};
  TextInput input;
  input.tokenizer = byte(0) & 15;
  const auto bit = [&](int i) { return (byte(0) >> i & 1) != 0; };
  input.normalizer = {bit(4), bit(5), bit(6), bit(7)};
  EncodeOptions& options = input.options;
  options.truncation_side = (byte(1) & 1) != 0 ? TruncationSide::kLeft : TruncationSide::kRight;
  options.truncation_strategy = kStrategies[byte(1) >> 1 & 3];
  options.special_tokens_mask = (byte(2) & 1) != 0;
  options.offsets = (byte(2) & 2) != 0;
  options.char_offsets = (byte(2) & 4) != 0;
  options.word_ids = (byte(2) & 8) != 0;
  options.tokens = (byte(2) & 16) != 0;
  options.sequence_ids = (byte(2) & 32) != 0;
  options.max_length = byte(3);
  options.stride = byte(4);
  absl::string_view text = data.substr(kTextInputHeader);
  if ((byte(1) & 8) != 0) {
    const size_t end = std::min(text.find('\0'), text.size());
    input.pair = std::string(text.substr(std::min(end + 1, text.size())));
    text = text.substr(0, end);
  }
  input.text = std::string(text);
  return input;
}

size_t WellFormedSize(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t size = SequenceSize(text.substr(at));
    if (size == 0) break;
    at += size;
  }
  return at;
}

std::string Repaired(absl::string_view text) {
  std::string repaired;
  while (!text.empty()) {
    const size_t size = WellFormedSize(text);
    repaired.append(text.data(), size);
    text = text.substr(std::min(size + 1, text.size()));
  }
  return repaired;
}

}  // namespace bertha::tokenizer::fuzz
