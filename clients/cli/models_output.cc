#include "clients/cli/models_output.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "clients/cli/json.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

constexpr size_t kColumns = 8;
constexpr size_t kMaxCell = 60;
using Cells = std::array<std::string, kColumns>;

Cells ModelCells(const ModelEntry& m) {
  const bool serving = m.state == "SERVING";
  const std::string how = serving ? absl::StrJoin({m.model.engine, m.model.device, m.model.dtype}, " ") : "";
  const std::string what = absl::StrCat(m.family, m.task.empty() ? "" : " ", m.task, m.accepts_pairs ? ", pairs" : "",
                                        m.dimension > 0 ? absl::StrCat(", ", m.dimension, " dimensions") : "");
  const std::string labels = m.version_labels.empty() ? "" : absl::StrCat(" ", absl::StrJoin(m.version_labels, ", "));
  const std::string probes =
      serving && m.probe_count > 0 ? absl::StrFormat("%.1e of %d", m.probe_max_abs_diff, m.probe_count) : "";
  return {absl::StrCat(m.model.name, m.is_default ? "*" : ""),
          absl::StrCat(m.model.version, labels),
          m.state,
          how,
          what,
          m.max_length > 0 ? absl::StrCat(m.max_length) : "",
          probes,
          absl::StrJoin(m.labels, ", ")};
}

/// What does not fit into a row, a line each.
std::string Remarks(const ModelEntry& m) {
  std::string lines;
  const auto add = [&](absl::string_view what, const std::string& why) {
    if (!why.empty()) absl::StrAppend(&lines, "    ", what, ": ", FitToWidth(why, 1000), "\n");
  };
  add("refused", m.reason);
  add("unhealthy, health says NOT_SERVING", m.unhealthy);
  add("update refused, this one serves on", m.refused_update);
  for (const std::string& why : m.refused_engines) add("not computed by", why);
  return lines;
}

std::string TableLine(const Cells& cells, const std::array<size_t, kColumns>& widths) {
  std::string line;
  for (size_t i = 0; i < kColumns; ++i) line += PadRight(FitToWidth(cells[i], kMaxCell), widths[i]) + "  ";
  line.resize(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string ModelsTable(absl::Span<const ModelEntry> models) {
  if (models.empty()) return "no models: the server found no packages in its model directory\n";
  std::vector<Cells> rows = {
      {"NAME", "VERSION", "STATE", "ENGINE", "TASK", "MAX TOKENS", "MAX |DIFF| OF PROBES", "LABELS"}};
  for (const ModelEntry& m : models) rows.push_back(ModelCells(m));
  std::array<size_t, kColumns> widths{};
  for (const Cells& cells : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], std::min(DisplayWidth(cells[i]), kMaxCell));
  }
  std::string table = TableLine(rows[0], widths);
  for (size_t i = 0; i < models.size(); ++i) {
    table += TableLine(rows[i + 1], widths) + Remarks(models[i]);
  }
  const bool any_default = std::any_of(models.begin(), models.end(), [](const ModelEntry& m) { return m.is_default; });
  return any_default ? table + "* answers when a request names no model\n" : table;
}

std::string ModelsJson(absl::Span<const ModelEntry> models) {
  std::string lines;
  for (const ModelEntry& m : models) {
    const Json json{{"model", m.model.name},
                    {"version", m.model.version},
                    {"state", m.state},
                    {"reason", m.reason},
                    {"engine", m.model.engine},
                    {"device", m.model.device},
                    {"dtype", m.model.dtype},
                    {"family", m.family},
                    {"task", m.task},
                    {"labels", m.labels},
                    {"max_length", m.max_length},
                    {"accepts_pairs", m.accepts_pairs},
                    {"probe_max_abs_diff", m.probe_max_abs_diff},
                    {"probe_count", m.probe_count},
                    {"is_default", m.is_default},
                    {"version_labels", m.version_labels},
                    {"refused_update", m.refused_update},
                    {"unhealthy", m.unhealthy},
                    {"refused_engines", m.refused_engines},
                    {"dimension", m.dimension},
                    {"weight_bytes", m.weight_bytes}};
    lines += JsonLine(json);
  }
  return lines;
}

}  // namespace bertha::cli
