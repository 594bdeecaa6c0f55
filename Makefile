# The tasks of gen_video. `make` alone lists them. Arguments: make test PYTEST="-n 2 -k quota".
SHELL := bash
PYTHON := .venv/bin/python
PYTEST ?= -n 2
comma := ,
# The picture renderer's tests need a graphics library; CI has it, a bare machine need not.
EXTRAS := dev$(if $(CI),$(comma)training)

# Threads that spin while they wait starve each other on small machines.
export OMP_WAIT_POLICY := PASSIVE

.DEFAULT_GOAL := help
.PHONY: help setup run test check fix bench chaos cluster migrate openapi fuzz typescript screenshots

help: ## List the tasks / 列出任务
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1|/' | column -t -s '|'

setup: ## Install everything, developer tools included / 安装全部依赖
	@bash scripts/setup.sh --extras $(EXTRAS)

run: ## Start the service / 启动服务
	@./启动MVP.sh

test: check ## Check and test everything, from nothing / 完整检查与测试
	$(PYTHON) -m pytest $(PYTEST)

check: setup ## Style, types and import contracts, no tests / 静态检查
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m mypy scripts/install.py
	.venv/bin/lint-imports --no-cache

fix: setup ## Repair style and layout where a tool can / 自动修复格式
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: setup ## Measure: one table and JSON / 性能测试
	$(PYTHON) -m benchmarks

chaos: setup ## Kill processes under load for five minutes, then check every promise / 混沌测试
	$(PYTHON) -m tests.chaos --minutes 5

cluster: setup ## Kill nodes, broker and database of a whole cluster for ten minutes / 集群混沌测试
	$(PYTHON) -m tests.cluster --broker redis --scenario all --minutes 10
	$(PYTHON) -m tests.cluster --broker rabbitmq --scenario all --minutes 10

migrate: setup ## Bring the database to this version / 升级数据库
	.venv/bin/gen-video migrate

fuzz: setup ## Ask the API everything its document allows, and what it does not, for minutes / 接口模糊测试
	GEN_VIDEO_TEST_FUZZ_EXAMPLES=$${EXAMPLES:-500} GEN_VIDEO_TEST_FUZZ_SEED=$${SEED:-$$RANDOM} \
		$(PYTHON) -m pytest -s tests/fuzz

screenshots: setup ## Take pictures of every page of the console into screenshots/ / 控制台截图
	$(PYTHON) -m tests.console.screenshots --model mini

typescript: openapi ## Make the TypeScript client's types anew / 更新 TypeScript 客户端
	cd clients/typescript && npm ci --ignore-scripts && npm run generate && npm run build

openapi: setup ## Approve the API as it is now: docs/api/openapi.json / 更新接口快照
	$(PYTHON) -m tests.house.openapi
