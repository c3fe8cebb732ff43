#include "models/package_contents.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "models/checksums.h"

namespace bertha::models {
namespace {

absl::Status ReadManifest(PackageContents& contents) {
  absl::StatusOr<std::string> text = contents.files.Read(kManifestFile, kMaxManifestBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<Manifest> manifest = ParseManifest(*text);
  if (!manifest.ok()) return Blame(kManifestFile, manifest.status());
  contents.manifest = *std::move(manifest);
  return absl::OkStatus();
}

absl::Status ReadTokenizer(PackageContents& contents) {
  absl::StatusOr<std::string> text = contents.files.Read(kTokenizerFile, kMaxTokenizerBytes);
  if (!text.ok()) return text.status();
  auto tokenizer = tokenizer::Tokenizer::FromJson(*text);
  if (!tokenizer.ok()) return Blame(kTokenizerFile, tokenizer.status());
  contents.tokenizer = *std::move(tokenizer);
  return absl::OkStatus();
}

absl::Status ReadProbes(PackageContents& contents) {
  absl::StatusOr<std::string> text = contents.files.Read(kProbesFile, kMaxProbesBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<Probe>> probes = ParseProbes(*text, contents.manifest);
  if (!probes.ok()) return Blame(kProbesFile, probes.status());
  contents.probes = *std::move(probes);
  return Blame(kTokenizerFile, CheckTokenizer(*contents.tokenizer, contents.manifest, contents.probes));
}

absl::StatusOr<PackageContents> Read(const std::string& dir, bool finished) {
  absl::StatusOr<Package> files = Package::Open(dir);
  if (!files.ok()) return files.status();
  PackageContents contents{*std::move(files), {}, {}, {}};
  absl::Status status = finished ? VerifySums(contents.files) : absl::OkStatus();
  if (status.ok()) status = ReadManifest(contents);
  if (status.ok()) status = ReadTokenizer(contents);
  if (status.ok() && finished) status = ReadProbes(contents);
  if (!status.ok()) return status;
  return contents;
}

}  // namespace

absl::StatusOr<PackageContents> ReadPackage(const std::string& dir) { return Read(dir, true); }

absl::StatusOr<PackageContents> ReadUnfinishedPackage(const std::string& dir) { return Read(dir, false); }

absl::Status Blame(absl::string_view file, const absl::Status& status) {
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
}

}  // namespace bertha::models
