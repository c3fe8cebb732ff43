// Words that a model has cut into tokens lately: most words of a text are among them.
//
// One cache serves any number of models. Each has a number that no other model of the process ever gets, so that an
// entry cannot be taken for that of a later model at the same address.
// Thread-safety: none; one object per thread. Memory: kBytes, allocated when the first word comes, never more.
// Invariant: a hit is exact, since number and word are compared as a whole; words that fall into the same set of slots
// displace the least recently used of them.
#ifndef BERTHA_TOKENIZER_WORD_CACHE_H_
#define BERTHA_TOKENIZER_WORD_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace bertha::tokenizer {

/// A token of a word: it begins where the one before ends.
struct WordToken {
  int32_t id;
  size_t end;  ///< bytes from the begin of the word
};

class WordCache {
  struct Slot;

 public:
  static constexpr size_t kBytes = size_t{1} << 20;

  /// The tokens of a word. Valid until the next call of Find or Insert.
  class Entry {
   public:
    explicit Entry(const Slot* slot) : slot_(slot) {}
    explicit operator bool() const { return slot_ != nullptr; }

    size_t size() const { return slot_->tokens; }
    WordToken operator[](size_t i) const {
      int32_t id;
      std::memcpy(&id, slot_->bytes + Slot::kBytes - (i + 1) * sizeof(id), sizeof(id));
      return {id, slot_->bytes[slot_->word_size + i]};
    }

   private:
    const Slot* slot_;
  };

  /// A number for a new model. Thread-safe.
  static uint64_t NewModelNumber();

  /// False if the word is not there.
  Entry Find(uint64_t model, absl::string_view word) {
    if (slots_.empty()) return Entry(nullptr);
    Slot* const set = SetOf(model, word);
    if (set[0].Holds(model, word)) return Entry(&set[0]);
    if (!set[1].Holds(model, word)) return Entry(nullptr);
    std::swap(set[0], set[1]);
    return Entry(&set[0]);
  }

  /// Keeps the tokens of a word that is not there, if they fit into a slot.
  void Insert(uint64_t model, absl::string_view word, const WordToken* tokens, size_t count);

 private:
  static constexpr size_t kWays = 2;

  /// One cache line.
  struct alignas(64) Slot {
    static constexpr size_t kBytes = 54;

    uint64_t model = 0;  // 0: empty
    uint8_t word_size = 0, tokens = 0;
    unsigned char bytes[kBytes] = {};  // the word, and where each token ends; from the back the ids

    static bool HasRoomFor(size_t word_size, size_t tokens) {
      return word_size + tokens * (1 + sizeof(int32_t)) <= kBytes && tokens <= kBytes;
    }
    bool Holds(uint64_t of_model, absl::string_view word) const {
      return model == of_model && word_size == word.size() && Equal(bytes, word.data(), word.size());
    }
  };

  template <typename T>
  static T Load(const void* from) {
    T value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }

  /// The bytes of a word of less than 8, at most twice each: with the size they tell the word.
  static uint64_t LoadShort(const void* from, size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(from);
    if (size >= 4) return uint64_t{Load<uint32_t>(bytes)} << 32 | Load<uint32_t>(bytes + size - 4);
    if (size == 0) return 0;
    return uint64_t{bytes[0]} << 16 | uint64_t{bytes[size / 2]} << 8 | bytes[size - 1];
  }

  static bool Equal(const unsigned char* a, const char* b, size_t size) {
    if (size < 8) return LoadShort(a, size) == LoadShort(b, size);
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (Load<uint64_t>(a + i) != Load<uint64_t>(b + i)) return false;
    }
    return Load<uint64_t>(a + size - 8) == Load<uint64_t>(b + size - 8);
  }

  static uint64_t Hash(uint64_t model, absl::string_view word) {
    // Multiplication carries upwards, and the shift brings the result back down.
    const auto mix = [](uint64_t hash, uint64_t bytes) {
      hash = (hash ^ bytes) * 0x9E3779B97F4A7C15;
      return hash ^ hash >> 32;
    };
    uint64_t hash = model << 8 ^ word.size();
    if (word.size() < 8) return mix(mix(hash, LoadShort(word.data(), word.size())), 0);
    for (size_t i = 0; i + 8 < word.size(); i += 8) hash = mix(hash, Load<uint64_t>(word.data() + i));
    return mix(mix(hash, Load<uint64_t>(word.data() + word.size() - 8)), 0);
  }

  Slot* SetOf(uint64_t model, absl::string_view word) {
    return &slots_[Hash(model, word) % (kBytes / sizeof(Slot) / kWays) * kWays];
  }

  std::vector<Slot> slots_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_WORD_CACHE_H_
