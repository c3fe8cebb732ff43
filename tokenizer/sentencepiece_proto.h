// Reading a SentencePiece model file (spiece.model): the pieces, and what decides whether they can be used here.
//
// The file is a protobuf message, ModelProto. Only what is needed of it is read, by a small reader of the wire format,
// so that this library depends on no protobuf; the file is not trusted, and every length is checked. Thread-safety:
// immutable after construction. Source: sentencepiece_model.proto of github.com/google/sentencepiece (Kudo and
// Richardson, EMNLP 2018, arXiv:1808.06226); protobuf.dev, "Encoding".
#ifndef BERTHA_TOKENIZER_SENTENCEPIECE_PROTO_H_
#define BERTHA_TOKENIZER_SENTENCEPIECE_PROTO_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/source_file.h"

namespace bertha::tokenizer {

struct SentencePieceModel {
  struct Piece {
    enum Type : uint64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
    absl::string_view text;  ///< in the file's content; UTF-8, not empty
    float score = 0;         ///< log probability; finite
    uint64_t type = kNormal;
  };

  std::vector<Piece> pieces;                 ///< by id
  std::map<absl::string_view, int32_t> ids;  ///< by text
  size_t unk_id = 0;                         ///< the only piece of type kUnknown
  absl::string_view precompiled_charsmap;

  /// INVALID_ARGUMENT names the byte offset or the piece that is broken. UNIMPLEMENTED names what only other kinds of
  /// models have: BPE, words or characters instead of Unigram, byte fallback, unused pieces, and white space that is
  /// kept or marked otherwise than with ▁ before each word. The result points into `file`, which must outlive it.
  static absl::StatusOr<SentencePieceModel> Parse(const SourceFile& file);
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_SENTENCEPIECE_PROTO_H_
