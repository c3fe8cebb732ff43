#include "clients/cli/npy_writer.h"

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "the header says so");

/// Room for a shape of any two 64-bit numbers; the array begins at a multiple of 64 bytes, as the format asks.
constexpr size_t kHeaderBytes = 128;

std::string Header(uint64_t texts, uint64_t dimension) {
  constexpr size_t kPreamble = 10;  // magic, version, length of the rest
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(kHeaderBytes - kPreamble);
  header += '\0';
  absl::StrAppend(&header, "{'descr': '<f4', 'fortran_order': False, 'shape': (", texts, ", ", dimension, "), }");
  header.resize(kHeaderBytes - 1, ' ');
  return header + "\n";
}

class NpyWriter : public RowWriter {
 public:
  NpyWriter(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) { Put(Header(0, 0)); }
  ~NpyWriter() override {
    if (file_ != nullptr) std::fclose(file_);
  }

  std::string Rows(absl::Span<const Row> rows) override {
    for (const Row& row : rows) {
      if (row.result.ok()) {
        Append(std::get<Vectors>(row.result->body).vector);
      } else {
        AppendMissing();
      }
    }
    return "";
  }

  std::string End() override {
    if (status_.ok() && std::fseek(file_, 0, SEEK_SET) != 0) NoteError();
    Put(Header(texts_, dimension_));
    if (std::fclose(std::exchange(file_, nullptr)) != 0) NoteError();
    if (status_.ok() && std::rename(PartOf(path_).c_str(), path_.c_str()) != 0) NoteError();
    if (!status_.ok()) return "";
    return absl::StrCat(path_, ": ", FormatCount(texts_), " x ", dimension_, " float32\n");
  }

  absl::Status status() const override { return status_; }

  static std::string PartOf(const std::string& path) { return path + ".part"; }

 private:
  void Append(const std::vector<float>& vector) {
    if (dimension_ == 0) {
      dimension_ = vector.size();
      for (; missing_ > 0; --missing_) PutMissing();
    }
    if (status_.ok() && vector.size() != dimension_) {
      status_ = absl::InternalError(
          absl::StrCat("the server sent vectors of ", dimension_, " and of ", vector.size(), " dimensions"));
    }
    ++texts_;
    Put({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
  }

  /// The first ones wait until the dimension is known.
  void AppendMissing() {
    ++texts_;
    if (dimension_ == 0) {
      ++missing_;
    } else {
      PutMissing();
    }
  }

  void PutMissing() {
    const std::vector<float> row(dimension_, std::numeric_limits<float>::quiet_NaN());
    Put({reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float)});
  }

  void Put(absl::string_view bytes) {
    if (status_.ok() && std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) NoteError();
  }

  void NoteError() {
    if (status_.ok()) status_ = absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path_));
  }

  const std::string path_;
  std::FILE* file_;
  uint64_t texts_ = 0;
  uint64_t dimension_ = 0;
  uint64_t missing_ = 0;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowWriter>> MakeNpyWriter(const std::string& path) {
  std::FILE* file = std::fopen(NpyWriter::PartOf(path).c_str(), "wb");
  if (file == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  return std::make_unique<NpyWriter>(path, file);
}

}  // namespace bertha::cli
