#include "models/cuda/module_device.h"

#include <torch/script.h>

namespace bertha::cuda {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
namespace attr = c10::attr;
namespace prim = c10::prim;

/// A single number stays: it mixes with tensors of any device, and traces compute sizes from such, which are wanted on
/// the host.
at::Tensor Moved(const at::Tensor& constant, c10::Device device) {
  return constant.dim() == 0 ? constant : constant.to(device);
}

void MoveConstant(Node* node, c10::Device device) {
  if (!node->hasAttribute(attr::value)) return;  // None
  const bool of_devices = node->output()->type()->kind() == c10::TypeKind::DeviceObjType;
  switch (node->kindOf(attr::value)) {
    case torch::jit::AttributeKind::s:
      if (of_devices) node->s_(attr::value, device.str());
      break;
    case torch::jit::AttributeKind::t:
      node->t_(attr::value, Moved(node->t(attr::value), device));
      node->output()->inferTypeFrom(node->t(attr::value));
      break;
    case torch::jit::AttributeKind::ts: {
      std::vector<at::Tensor> tensors;
      for (const at::Tensor& tensor : node->ts(attr::value)) tensors.push_back(Moved(tensor, device));
      node->ts_(attr::value, std::move(tensors));
      break;
    }
    default:
      break;
  }
}

/// A function that makes a tensor out of numbers makes it on the CPU where it is told no device: tell it.
void TellDevice(Node* node, Graph& graph, c10::Device device) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (!schema) return;
  const auto index = schema->argumentIndexWithName("device");
  if (!index || static_cast<size_t>(*index) >= node->inputs().size()) return;
  if (node->input(static_cast<size_t>(*index))->type()->kind() != c10::TypeKind::NoneType) return;
  for (const torch::jit::Value* input : node->inputs()) {
    if (input->type()->isSubtypeOf(*c10::TensorType::get())) return;  // as that one: zeros_like, new_ones, to
  }
  torch::jit::WithInsertPoint here(node);
  node->replaceInput(static_cast<size_t>(*index), graph.insertConstant(device));
}

void MoveBlock(Block* block, Graph& graph, c10::Device device) {
  for (Node* node : block->nodes()) {
    if (node->kind() == prim::Constant) {
      MoveConstant(node, device);
    } else {
      TellDevice(node, graph, device);
    }
    for (Block* inner : node->blocks()) MoveBlock(inner, graph, device);
  }
}

}  // namespace

void MoveModule(torch::jit::Module& module, const std::string& name) {
  const c10::Device device(name);
  for (torch::jit::Module part : module.modules()) {
    for (const auto& attribute : part.named_attributes(/*recurse=*/false)) {
      if (attribute.value.isTensor()) part.setattr(attribute.name, attribute.value.toTensor().detach().to(device));
    }
    for (const torch::jit::Method& method : part.get_methods()) {
      Graph& graph = *method.graph();
      MoveBlock(graph.block(), graph, device);
    }
  }
}

}  // namespace bertha::cuda
