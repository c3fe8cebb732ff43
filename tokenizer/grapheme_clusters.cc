#include "tokenizer/grapheme_clusters.h"

#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

using unicode::ClusterCategory;

/// Goes through a cluster and decides about each next character.
class Cluster {
 public:
  explicit Cluster(ClusterCategory first) { Add(first); }

  bool Takes(ClusterCategory next) const {
    if (last_ == ClusterCategory::kControl || next == ClusterCategory::kControl) return false;  // GB4, GB5
    if (last_ == ClusterCategory::kPrepend) return true;                                        // GB9b
    switch (next) {
      case ClusterCategory::kExtend:  // GB9, GB9a
      case ClusterCategory::kNonJoiner:
      case ClusterCategory::kJoiner:
      case ClusterCategory::kVirama:
      case ClusterCategory::kSpacingMark:
        return true;
      case ClusterCategory::kLead:  // GB6
      case ClusterCategory::kLeadVowel:
      case ClusterCategory::kLeadVowelTrail:
        return last_ == ClusterCategory::kLead;
      case ClusterCategory::kVowel:  // GB6, GB7
        return last_ == ClusterCategory::kLead || EndsInVowel();
      case ClusterCategory::kTrail:  // GB7, GB8
        return EndsInVowel() || last_ == ClusterCategory::kTrail || last_ == ClusterCategory::kLeadVowelTrail;
      case ClusterCategory::kConsonant:  // GB9c
        return conjunct_ == kLinked;
      case ClusterCategory::kPictographic:  // GB11
        return emoji_ == kJoined;
      default:
        return false;  // GB999
    }
  }

  void Add(ClusterCategory next) {
    conjunct_ = Conjunct(next);
    emoji_ = Emoji(next);
    last_ = next;
  }

 private:
  enum ConjunctState { kNoConsonant, kConsonant, kLinked };
  enum EmojiState { kNoEmoji, kEmoji, kJoined };

  bool EndsInVowel() const { return last_ == ClusterCategory::kVowel || last_ == ClusterCategory::kLeadVowel; }

  ConjunctState Conjunct(ClusterCategory next) const {
    if (next == ClusterCategory::kConsonant) return kConsonant;
    if (next == ClusterCategory::kVirama) return conjunct_ == kNoConsonant ? kNoConsonant : kLinked;
    if (next == ClusterCategory::kExtend || next == ClusterCategory::kJoiner) return conjunct_;
    return kNoConsonant;
  }

  EmojiState Emoji(ClusterCategory next) const {
    if (next == ClusterCategory::kPictographic) return kEmoji;
    if (emoji_ != kEmoji) return kNoEmoji;
    if (next == ClusterCategory::kJoiner) return kJoined;
    const bool extends =
        next == ClusterCategory::kExtend || next == ClusterCategory::kNonJoiner || next == ClusterCategory::kVirama;
    return extends ? kEmoji : kNoEmoji;
  }

  ClusterCategory last_ = ClusterCategory::kOther;
  ConjunctState conjunct_ = kNoConsonant;
  EmojiState emoji_ = kNoEmoji;
};

}  // namespace

size_t GraphemeClusterEnd(absl::string_view text, size_t begin) {
  size_t end = begin;
  const char32_t first = DecodeUtf8(text, &end);
  if (first == U'\r' && end < text.size() && text[end] == '\n') return end + 1;  // GB3
  Cluster cluster(unicode::ClusterCategoryOf(first));
  for (size_t next = end; next < text.size(); end = next) {
    const ClusterCategory category = unicode::ClusterCategoryOf(DecodeUtf8(text, &next));
    if (!cluster.Takes(category)) break;
    cluster.Add(category);
  }
  return end;
}

}  // namespace bertha::tokenizer
