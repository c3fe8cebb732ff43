// What must hold of the tokens of any text. Each function aborts (FUZZ_CHECK) if it does not.
//
// Nothing here knows what the right ids are: that is the comparison with the reference library, test_fuzz_corpus.py.
#ifndef BERTHA_TESTS_FUZZ_TEXT_PROPERTIES_H_
#define BERTHA_TESTS_FUZZ_TEXT_PROPERTIES_H_

#include <string>
#include <vector>

#include "tests/fuzz/text_input.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer::fuzz {

/// A tokenizer, and what it promises beyond what all do.
struct Subject {
  const Tokenizer& tokenizer;
  /// The tokens of "a b" are those of "a" and those of "b".
  bool words_stand_alone;
  /// Encoding::tokens has the texts of the ids, unknown pieces and white space included.
  bool texts_are_those_of_ids;
};

/// Text that is not UTF-8 is refused with the offset; all other text is taken.
void CheckUtf8Errors(const Subject& subject, const TextInput& input);

// All that follows: of UTF-8 only.

/// What is asked for does not change the rest, and what is not asked for is not there; nor does it matter whether the
/// working memory is fresh or was used for other texts and tokenizers.
void CheckRequests(const Subject& subject, const TextInput& input);

/// Offsets lie in the text, at the borders of characters, in order; ids and texts map to one another.
void CheckTokens(const Subject& subject, const TextInput& input);

/// Truncation and windows take parts of what there is without them, as tokenizer.h and truncation.h say.
void CheckTruncation(const Subject& subject, const TextInput& input);

/// The normalizer's fast path gives what its plain one gives.
void CheckNormalizers(const TextInput& input);

}  // namespace bertha::tokenizer::fuzz

#endif  // BERTHA_TESTS_FUZZ_TEXT_PROPERTIES_H_
