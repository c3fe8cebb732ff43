#include "tokenizer/sentencepiece_proto.h"

#include <bit>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

using Piece = SentencePieceModel::Piece;

/// How a field is stored (protobuf wire types). Groups, which nothing writes any more, are not among them.
enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint64_t number = 0;
  uint64_t type = kVarint;
  uint64_t value = 0;       // of all types but kBytes
  absl::string_view bytes;  // of kBytes
};

/// Reads the fields of one message in order.
class MessageReader {
 public:
  MessageReader(const SourceFile& file, absl::string_view message) : file_(file), rest_(message) {}

  /// Calls `visit` for each field; stops at the first error.
  absl::Status ForEachField(const std::function<absl::Status(const Field&)>& visit) {
    while (!rest_.empty()) {
      field_start_ = rest_;
      TOKENIZER_ASSIGN_OR_RETURN(const Field field, Next());
      TOKENIZER_RETURN_IF_ERROR(visit(field));
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Field> Next() {
    TOKENIZER_ASSIGN_OR_RETURN(const uint64_t tag, Varint());
    Field field{.number = tag >> 3, .type = tag & 7};
    if (field.number == 0) return Broken("field number 0");
    switch (field.type) {
      case kVarint: {
        TOKENIZER_ASSIGN_OR_RETURN(field.value, Varint());
        return field;
      }
      case kFixed32: {
        TOKENIZER_ASSIGN_OR_RETURN(field.value, Fixed(4));
        return field;
      }
      case kFixed64: {
        TOKENIZER_ASSIGN_OR_RETURN(field.value, Fixed(8));
        return field;
      }
      case kBytes: {
        TOKENIZER_ASSIGN_OR_RETURN(const uint64_t size, Varint());
        TOKENIZER_ASSIGN_OR_RETURN(field.bytes, Take(size));
        return field;
      }
      default:
        return Broken(absl::StrCat("wire type ", field.type));
    }
  }

  absl::StatusOr<uint64_t> Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      TOKENIZER_ASSIGN_OR_RETURN(const absl::string_view byte, Take(1));
      const auto bits = static_cast<unsigned char>(byte[0]);
      value |= uint64_t{bits & 0x7Fu} << shift;
      if (bits < 0x80) return value;
    }
    return Broken("a number of more than ten bytes");
  }

  absl::StatusOr<uint64_t> Fixed(size_t size) {
    TOKENIZER_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(size));
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }

  absl::StatusOr<absl::string_view> Take(uint64_t size) {
    if (size > rest_.size()) return Broken("it ends inside a field");
    const absl::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  absl::Status Broken(absl::string_view what) const {
    return file_.Invalid(
        absl::StrCat("no SentencePiece model: ", what, " at byte ", field_start_.data() - file_.content.data()));
  }

  const SourceFile& file_;
  absl::string_view rest_;
  absl::string_view field_start_;
};

class Parser {
 public:
  explicit Parser(const SourceFile& file) : file_(file) {}

  absl::StatusOr<SentencePieceModel> Parse() {
    TOKENIZER_RETURN_IF_ERROR(ReadModel());
    TOKENIZER_RETURN_IF_ERROR(CheckKind());
    TOKENIZER_RETURN_IF_ERROR(CheckPieces());
    TOKENIZER_RETURN_IF_ERROR(CheckUnknown());
    return std::move(model_);
  }

 private:
  // Field numbers below are those of sentencepiece_model.proto. A field that is there twice counts the last time, and
  // messages that are there twice are merged, as protobuf has it.

  absl::Status ReadModel() {
    return MessageReader(file_, file_.content).ForEachField([&](const Field& field) {
      if (field.number == 1) return ReadPiece(field);
      if (field.number == 2) return ReadTrainerSpec(field);
      if (field.number == 3) return ReadNormalizerSpec(field);
      return absl::OkStatus();
    });
  }

  absl::Status ReadPiece(const Field& message) {
    TOKENIZER_RETURN_IF_ERROR(Expect(message, kBytes, "pieces"));
    Piece& piece = model_.pieces.emplace_back();
    return MessageReader(file_, message.bytes).ForEachField([&](const Field& field) -> absl::Status {
      if (field.number == 1) {
        TOKENIZER_RETURN_IF_ERROR(Expect(field, kBytes, "piece"));
        piece.text = field.bytes;
      } else if (field.number == 2) {
        TOKENIZER_RETURN_IF_ERROR(Expect(field, kFixed32, "score"));
        piece.score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
      } else if (field.number == 3) {
        return ReadNumber(field, "type", &piece.type);
      }
      return absl::OkStatus();
    });
  }

  absl::Status ReadTrainerSpec(const Field& message) {
    TOKENIZER_RETURN_IF_ERROR(Expect(message, kBytes, "trainer_spec"));
    return MessageReader(file_, message.bytes).ForEachField([&](const Field& field) {
      if (field.number == 3) return ReadNumber(field, "model_type", &model_type_);
      if (field.number == 24) return ReadNumber(field, "treat_whitespace_as_suffix", &treat_whitespace_as_suffix_);
      if (field.number == 35) return ReadNumber(field, "byte_fallback", &byte_fallback_);
      if (field.number == 40) return ReadNumber(field, "unk_id", &unk_id_);
      return absl::OkStatus();
    });
  }

  absl::Status ReadNormalizerSpec(const Field& message) {
    TOKENIZER_RETURN_IF_ERROR(Expect(message, kBytes, "normalizer_spec"));
    return MessageReader(file_, message.bytes).ForEachField([&](const Field& field) -> absl::Status {
      if (field.number == 2) {
        TOKENIZER_RETURN_IF_ERROR(Expect(field, kBytes, "precompiled_charsmap"));
        model_.precompiled_charsmap = field.bytes;
      }
      if (field.number == 3) return ReadNumber(field, "add_dummy_prefix", &add_dummy_prefix_);
      if (field.number == 4) return ReadNumber(field, "remove_extra_whitespaces", &remove_extra_whitespaces_);
      if (field.number == 5) return ReadNumber(field, "escape_whitespaces", &escape_whitespaces_);
      return absl::OkStatus();
    });
  }

  absl::Status ReadNumber(const Field& field, absl::string_view name, uint64_t* out) {
    TOKENIZER_RETURN_IF_ERROR(Expect(field, kVarint, name));
    *out = field.value;
    return absl::OkStatus();
  }

  absl::Status Expect(const Field& field, WireType type, absl::string_view name) const {
    if (field.type == type) return absl::OkStatus();
    return file_.Invalid(absl::StrCat("no SentencePiece model: ", name, " has wire type ", field.type));
  }

  absl::Status CheckKind() const {
    constexpr const char* kTypes[] = {"0", "UNIGRAM", "BPE", "WORD", "CHAR"};
    if (model_type_ != 1) {
      const std::string name = model_type_ < std::size(kTypes) ? kTypes[model_type_] : absl::StrCat(model_type_);
      return file_.Unknown(absl::StrCat("model_type ", name, " is not supported; known here: UNIGRAM"));
    }
    if (byte_fallback_ != 0) return file_.Unknown("byte_fallback is not supported");
    if (treat_whitespace_as_suffix_ != 0) return file_.Unknown("treat_whitespace_as_suffix is not supported");
    if (add_dummy_prefix_ == 0) return file_.Unknown("add_dummy_prefix: false is not supported");
    if (remove_extra_whitespaces_ == 0) return file_.Unknown("remove_extra_whitespaces: false is not supported");
    if (escape_whitespaces_ == 0) return file_.Unknown("escape_whitespaces: false is not supported");
    return absl::OkStatus();
  }

  absl::Status CheckPieces() {
    for (size_t id = 0; id < model_.pieces.size(); ++id) {
      const Piece& piece = model_.pieces[id];
      if (piece.text.empty()) return InvalidPiece(id, "is empty");
      if (FindInvalidUtf8(piece.text) != absl::string_view::npos) return InvalidPiece(id, "is not UTF-8");
      if (!std::isfinite(piece.score)) return InvalidPiece(id, "has no finite score");
      if (piece.type == Piece::kUnused) return file_.Unknown(absl::StrCat("piece ", id, ": UNUSED is not supported"));
      if (piece.type == Piece::kByte) return file_.Unknown(absl::StrCat("piece ", id, ": BYTE is not supported"));
      if (piece.type == 0 || piece.type > Piece::kByte) return InvalidPiece(id, absl::StrCat("has type ", piece.type));
      const auto [twin, is_new] = model_.ids.emplace(piece.text, static_cast<int32_t>(id));
      if (!is_new) return InvalidPiece(id, absl::StrCat(Quoted(piece.text), " is piece ", twin->second, " already"));
    }
    return absl::OkStatus();
  }

  absl::Status CheckUnknown() {
    std::optional<size_t> unknown;
    for (size_t id = 0; id < model_.pieces.size(); ++id) {
      if (model_.pieces[id].type != Piece::kUnknown) continue;
      if (unknown) return InvalidPiece(id, absl::StrCat("is of type UNKNOWN, as is piece ", *unknown));
      unknown = id;
    }
    if (!unknown) return file_.Invalid("no SentencePiece model: no piece is of type UNKNOWN");
    if (*unknown != unk_id_) {
      return InvalidPiece(*unknown, absl::StrCat("is of type UNKNOWN, but trainer_spec.unk_id is ", unk_id_));
    }
    model_.unk_id = *unknown;
    return absl::OkStatus();
  }

  absl::Status InvalidPiece(size_t id, absl::string_view what) const {
    return file_.Invalid(absl::StrCat("piece ", id, " ", what));
  }

  const SourceFile& file_;
  SentencePieceModel model_;
  // With the defaults of sentencepiece_model.proto.
  uint64_t model_type_ = 1, treat_whitespace_as_suffix_ = 0, byte_fallback_ = 0, unk_id_ = 0;
  uint64_t add_dummy_prefix_ = 1, remove_extra_whitespaces_ = 1, escape_whitespaces_ = 1;
};

}  // namespace

absl::StatusOr<SentencePieceModel> SentencePieceModel::Parse(const SourceFile& file) { return Parser(file).Parse(); }

}  // namespace bertha::tokenizer
