#include "clients/cli/classify_command.h"

#include <memory>

#include "clients/cli/classify_task.h"
#include "clients/cli/labels_output.h"

namespace bertha::cli {
namespace {

v1::ClassifyRequest Prototype(const ClassifyOptions& options) {
  auto request = RequestOf<v1::ClassifyRequest>(options.run);
  v1::ClassifyOptions& wire = *request.mutable_options();
  wire.set_top_k(options.top_k);
  wire.set_threshold(options.threshold);
  wire.set_raw_logits(options.logits);
  SetLongTexts(options.run, wire);
  return request;
}

std::unique_ptr<RowWriter> MakeWriter(const ClassifyOptions& options) {
  switch (options.format) {
    case ClassifyOptions::Format::kJson:
      return MakeLabelsJson(options.logits);
    case ClassifyOptions::Format::kCsv:
      return MakeLabelsCsv();
    case ClassifyOptions::Format::kView:
      break;
  }
  return IsSingleText(options.run) ? MakeLabelsDetail(StyleOfOutput()) : MakeLabelsTable(StyleOfOutput());
}

}  // namespace

int RunClassify(const ClassifyOptions& options) {
  RpcCaller<ClassifyTask> caller(options.run.server, Prototype(options));
  const auto writer = MakeWriter(options);
  return RunTexts(options.run, {.pair_separator = options.pair_separator, .pair = options.pair}, caller, *writer);
}

}  // namespace bertha::cli
