// Extended grapheme clusters: what a reader takes for one character.
//
// Thread-safety: pure functions. Time: linear in the length of a cluster.
// Source: Unicode Standard Annex 29, "Unicode Text Segmentation", section 3.1.1, rules GB3 to GB13, with the data of
// Unicode 16 as in Hugging Face `tokenizers` (crate unicode-segmentation).
#ifndef BERTHA_TOKENIZER_GRAPHEME_CLUSTERS_H_
#define BERTHA_TOKENIZER_GRAPHEME_CLUSTERS_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace bertha::tokenizer {

/// Where the cluster ends that begins at `begin`, which is less than the size of the text. Except that a pair of
/// regional indicators counts as two.
size_t GraphemeClusterEnd(absl::string_view text, size_t begin);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_GRAPHEME_CLUSTERS_H_
