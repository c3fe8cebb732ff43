#include "tokenizer/wordpiece.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
WordPiece::WordPiece(Vocabulary vocabulary, const Options& options)
    : vocabulary_(std::move(vocabulary)),
      options_(options),
      continuation_root_(vocabulary_.trie().Walk(DoubleArrayTrie::kRoot, options_.continuing_subword_prefix)) {}

void WordPiece::Tokenize(absl::string_view text, const std::vector<ByteRange>& words, ModelScratch&,
                         std::vector<int32_t>& ids, std::vector<ByteRange>* ranges) const {
  for (const ByteRange& word : words) TokenizeWord(text, word, ids, ranges);
}

void WordPiece::TokenizeWord(absl::string_view text, const ByteRange& word, std::vector<int32_t>& ids,
                             std::vector<ByteRange>* ranges) const {
  const size_t longest = options_.max_input_chars_per_word;
  const bool too_long = word.size() > longest && CountCodePoints(word.of(text)) > longest;
  const size_t old_size = ids.size();
  if (!too_long && AppendPieces(text, word, ids, ranges)) return;
  if (ranges != nullptr) {
    ranges->resize(ranges->size() - (ids.size() - old_size));
    ranges->push_back(word);
  }
  ids.resize(old_size);
  ids.push_back(options_.unk_id);
}

bool WordPiece::AppendPieces(absl::string_view text, ByteRange word, std::vector<int32_t>& ids,
                             std::vector<ByteRange>* ranges) const {
  DoubleArrayTrie::Node root = DoubleArrayTrie::kRoot;
  while (word.begin < word.end) {
    if (root == DoubleArrayTrie::kNone) return false;
    // Tokens are UTF-8, so that a piece cannot end inside a code point.
    const DoubleArrayTrie::Prefix piece = vocabulary_.trie().LongestPrefix(root, word.of(text));
    if (piece.size == 0) return false;
    ids.push_back(piece.value);
    if (ranges != nullptr) ranges->push_back({word.begin, word.begin + piece.size});
    word.begin += piece.size;
    root = continuation_root_;
  }
  return true;
}

absl::StatusOr<std::unique_ptr<const Model>> MakeWordPiece(const JsonValue& json) {
  WordPiece::Options options;
  std::string unk_token;
  TOKENIZER_RETURN_IF_ERROR(json.Read("unk_token", &unk_token));
  TOKENIZER_RETURN_IF_ERROR(json.Read("continuing_subword_prefix", &options.continuing_subword_prefix));
  TOKENIZER_RETURN_IF_ERROR(json.Read("max_input_chars_per_word", &options.max_input_chars_per_word));
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue vocab, json.Get("vocab"));
  TOKENIZER_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::FromJson(vocab));
  const std::optional<int32_t> unk_id = vocabulary.Find(unk_token);
  if (!unk_id) {
    return absl::InvalidArgumentError(
        absl::StrCat(json.path(), ".unk_token: ", Quoted(unk_token), " is not in the vocabulary"));
  }
  options.unk_id = *unk_id;
  return std::make_unique<const WordPiece>(std::move(vocabulary), options);
}

}  // namespace bertha::tokenizer
