#include "tokenizer/word_cache.h"

#include <atomic>

namespace bertha::tokenizer {

uint64_t WordCache::NewModelNumber() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

void WordCache::Insert(uint64_t model, absl::string_view word, const WordToken* tokens, size_t count) {
  if (!Slot::HasRoomFor(word.size(), count)) return;
  if (slots_.empty()) slots_.resize(kBytes / sizeof(Slot));
  Slot* const set = SetOf(model, word);
  set[1] = set[0];
  Slot& slot = set[0];
  slot.model = model;
  slot.word_size = static_cast<uint8_t>(word.size());
  slot.tokens = static_cast<uint8_t>(count);
  std::memcpy(slot.bytes, word.data(), word.size());
  for (size_t i = 0; i < count; ++i) {
    slot.bytes[word.size() + i] = static_cast<unsigned char>(tokens[i].end);
    std::memcpy(slot.bytes + Slot::kBytes - (i + 1) * sizeof(int32_t), &tokens[i].id, sizeof(int32_t));
  }
}

}  // namespace bertha::tokenizer
