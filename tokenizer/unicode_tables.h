// What the Hugging Face `tokenizers` library does with each Unicode code point.
//
// Its parts follow different Unicode versions, so these tables are not a Unicode database: each was filled by asking
// the library about every code point (scripts/generate-unicode-tables; the versions are named in unicode_tables.cc).
// Invariant: every function takes any value up to U+10FFFF; surrogates have no property.
#ifndef BERTHA_TOKENIZER_UNICODE_TABLES_H_
#define BERTHA_TOKENIZER_UNICODE_TABLES_H_

#include <cstddef>
#include <cstdint>

namespace bertha::tokenizer::unicode {

/// The bits of ClassOf.
enum Class : uint8_t {
  kDropped = 1 << 0,      ///< BertNormalizer's clean_text removes it.
  kWhitespace = 1 << 1,   ///< White_Space: splits words; clean_text makes it a space unless it is kDropped.
  kPunctuation = 1 << 2,  ///< BertPreTokenizer makes it a word of its own.
  kCjk = 1 << 3,          ///< BertNormalizer's handle_chinese_chars puts spaces around it.
  kMark = 1 << 4,         ///< BertNormalizer's strip_accents removes it (never set together with kDecomposes).
  kWord = 1 << 5,         ///< \w of the regular expressions that decide about `single_word`.
  kDecomposes = 1 << 6,   ///< Its canonical decomposition is not itself.
  kLowers = 1 << 7,       ///< Its lower case is not itself.
};

/// What the regular expression of ByteLevel tells apart.
enum class RegexClass : uint8_t { kOther, kLetter, kNumber, kSpace };

/// Which characters form one grapheme cluster (Unicode Standard Annex 29, table 2, and the categories of rules GB9c and
/// GB11). CR and LF are kControl; Regional_Indicator is kOther: two of them are eight bytes, which nothing here asks
/// for.
enum class ClusterCategory : uint8_t {
  kOther,
  kControl,
  kExtend,
  kNonJoiner,  ///< Extend, but it ends a conjunct: U+200C.
  kJoiner,     ///< U+200D
  kSpacingMark,
  kPrepend,
  kPictographic,
  kConsonant,
  kVirama,  ///< Extend that links two consonants.
  kLead,
  kVowel,
  kTrail,
  kLeadVowel,
  kLeadVowelTrail,
};

/// A sequence of code points in a table; empty where a code point maps to itself.
struct CodePoints {
  const char32_t* data;
  size_t size;
  const char32_t* begin() const { return data; }
  const char32_t* end() const { return data + size; }
};

namespace tables {
// Two stages: a value is found in the block of 2^kBlockBits values that the index names for its code point. The values
// of Decomposition and Lower are places in a pool that holds the length of each entry just before that place; 0: none.
inline constexpr int kBlockBits = 7;
extern const uint8_t kClassIndex[], kClassBlocks[];
extern const uint8_t kRegexIndex[], kRegexBlocks[];
extern const uint8_t kCombiningIndex[], kCombiningBlocks[];
extern const uint8_t kClusterIndex[], kClusterBlocks[];
extern const uint8_t kDecompositionIndex[], kCompatibilityIndex[], kLowerIndex[];
extern const uint16_t kDecompositionBlocks[], kCompatibilityBlocks[], kLowerBlocks[];
extern const char32_t kDecompositions[], kCompatibilityDecompositions[], kLowercases[];

template <typename T>
T Lookup(const uint8_t* index, const T* blocks, char32_t cp) {
  return blocks[(size_t{index[cp >> kBlockBits]} << kBlockBits) + (cp & ((1u << kBlockBits) - 1))];
}

inline CodePoints InPool(const char32_t* pool, size_t place) {
  return place == 0 ? CodePoints{nullptr, 0} : CodePoints{pool + place, pool[place - 1]};
}
}  // namespace tables

inline uint8_t ClassOf(char32_t cp) { return tables::Lookup(tables::kClassIndex, tables::kClassBlocks, cp); }

/// By general category: \p{L}, \p{N}; by property White_Space: \s.
inline RegexClass RegexClassOf(char32_t cp) {
  return static_cast<RegexClass>(tables::Lookup(tables::kRegexIndex, tables::kRegexBlocks, cp));
}

/// Canonical combining class; 0 for starters. Not defined for code points that decompose.
inline uint8_t CombiningClass(char32_t cp) {
  return tables::Lookup(tables::kCombiningIndex, tables::kCombiningBlocks, cp);
}

/// Full canonical decomposition, in canonical order.
inline CodePoints Decomposition(char32_t cp) {
  return tables::InPool(tables::kDecompositions,
                        tables::Lookup(tables::kDecompositionIndex, tables::kDecompositionBlocks, cp));
}

/// Full compatibility decomposition, in canonical order.
inline CodePoints CompatibilityDecomposition(char32_t cp) {
  return tables::InPool(tables::kCompatibilityDecompositions,
                        tables::Lookup(tables::kCompatibilityIndex, tables::kCompatibilityBlocks, cp));
}

inline ClusterCategory ClusterCategoryOf(char32_t cp) {
  return static_cast<ClusterCategory>(tables::Lookup(tables::kClusterIndex, tables::kClusterBlocks, cp) & 0xF);
}

/// StripAccents removes it: a mark of any kind.
inline bool IsAccent(char32_t cp) {
  return (tables::Lookup(tables::kClusterIndex, tables::kClusterBlocks, cp) & 1 << 4) != 0;
}

/// Full lower case, without context.
inline CodePoints Lowercase(char32_t cp) {
  return tables::InPool(tables::kLowercases, tables::Lookup(tables::kLowerIndex, tables::kLowerBlocks, cp));
}

/// The decomposition of Hangul syllables is arithmetic (The Unicode Standard, section 3.12). They are kDecomposes, but
/// not in the tables of Decomposition and CompatibilityDecomposition.
struct Hangul {
  static constexpr char32_t kFirst = 0xAC00, kLast = 0xD7A3;
  static constexpr char32_t kLeads = 0x1100, kVowels = 0x1161, kTrails = 0x11A7;
  static constexpr char32_t kVowelCount = 21, kTrailCount = 28;

  static bool IsSyllable(char32_t cp) { return cp >= kFirst && cp <= kLast; }
  static char32_t Lead(char32_t cp) { return kLeads + (cp - kFirst) / (kVowelCount * kTrailCount); }
  static char32_t Vowel(char32_t cp) { return kVowels + (cp - kFirst) / kTrailCount % kVowelCount; }
  /// kTrails itself if the syllable has no trailing consonant.
  static char32_t Trail(char32_t cp) { return kTrails + (cp - kFirst) % kTrailCount; }
};

}  // namespace bertha::tokenizer::unicode

#endif  // BERTHA_TOKENIZER_UNICODE_TABLES_H_
