#include "tokenizer/pre_tokenized.h"

#include <utility>

#include "tokenizer/stages.h"

namespace bertha::tokenizer {

void PreTokenized::Start(absl::string_view section, bool begins_text, bool wants_alignment) {
  text_ = section;
  words_.clear();
  if (!section.empty()) words_.push_back({0, section.size()});
  begins_text_ = begins_text;
  wants_alignment_ = wants_alignment;
  rewritten_ = false;
  next_words.clear();
}

void PreTokenized::TakeWords() {
  words_.swap(next_words);
  next_words.clear();
}

void PreTokenized::TakeText() {
  TakeWords();
  if (wants_alignment_) {
    if (rewritten_) {
      composed_.Compose(alignment_, next_alignment, next_text.size());
      std::swap(alignment_, composed_);
    } else {
      std::swap(alignment_, next_alignment);
    }
    next_alignment.Clear();
  }
  own_text_.swap(next_text);
  next_text.clear();
  text_ = own_text_;
  rewritten_ = true;
}

void Splitter::PreTokenize(PreTokenized& text) const {
  for (const ByteRange& word : text.words()) Split(text.text(), word, text.next_words);
  text.TakeWords();
}

}  // namespace bertha::tokenizer
