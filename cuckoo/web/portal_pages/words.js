// Words of the pages, by language. {name} is filled in.
const WORDS = {
  en: {
    skip: "Skip to the content", brand: "Cuckoo staking", navigation: "Screens", language: "Language", theme: "Colours",
    themeAuto: "Automatic", themeLight: "Light", themeDark: "Dark",
    overview: "Overview", nodes: "Vote", stake: "Stake", register: "Register", network: "Network",
    connect: "Connect a wallet", chooseWallet: "Choose a wallet", noWallet: "This browser has no wallet. Install one that it can use, or run cuckoo staker --key NAME on this machine: then that key signs.",
    forgetWallet: "Disconnect", signsHere: "{address} (signs on this machine)", switchTo: "Switch to this network",
    wrongNetwork: "Your wallet is on chain {chain}; these pages are about chain {wanted}.", connectFirst: "Connect a wallet to see what it has.",
    unreachable: "The server of these pages does not answer. Is it running?", again: "Try again", at: "As of block {block}, {time}.",
    refusedInWallet: "You refused it in your wallet. Nothing was sent.", noGas: "The wallet has too little native coin for gas.",
    wallet: "In the wallet", idle: "Idle stake", rewards: "Rewards", gas: "For gas", behind: "Behind nodes", out: "On its way out",
    nothingBehind: "Nothing stands behind a node yet.", whomToVote: "Whom to vote for", nothingOut: "Nothing is on its way out.",
    node: "Node", name: "Name", role: "Role", miner: "miner", coordinator: "coordinator", all: "all", as: "As", own: "own stake", votes: "votes",
    active: "CAI", yearly: "A year, last 30 days", amount: "Amount in CAI", free: "Free", freeNow: "now", when: "When",
    claim: "Claim", claimAll: "Claim all", compound: "Compound", release: "Release what is free", revote: "Put back to work", move: "Move to another node",
    unvote: "Take out", vote: "Vote", votesFor: "Vote for {name}", unvoteFrom: "Take out of {name}", everything: "empty: everything",
    warnings: "Warnings", commission_rising: "commission will rise", slashed: "was slashed", jailed: "in jail", weightless: "carries no weight",
    search: "Search", order: "Order", eligibleOnly: "Only those that carry weight", weight: "Weight", ownStake: "Own stake", voted: "Votes",
    commission: "Commission", atMost: "at most {percent} %", yield: "Yield a year", slashes: "Slashes", state: "State", fine: "carries weight",
    yieldHow: "From emission at today's weights, after commission. Fees come on top; nothing is promised.",
    foundNodes: "{total} nodes", noNodes: "No node fits.", previous: "Previous", next: "Next", page: "{from} to {to} of {total}",
    rising: "rises to {percent} % on {time}", ownWords: "In its own words", claims: "A node's own words are claims, not facts.", links: "Links", location: "Location", url: "Address",
    owner: "Owner", operator: "Operator", floor: "Own stake it must keep", unbonding: "On its way out (can still be slashed)", history: "What happened", kind: "What", block: "Block", numbers: "Numbers", nothingHappened: "Nothing yet.",
    deposit: "Deposit", withdraw: "Withdraw", depositText: "From the wallet into idle stake. It earns nothing there and is not at risk; you can take it back at once.",
    withdrawText: "From idle stake back into the wallet, at once.", faucet: "Ask the faucet", faucetText: "A test network gives CAI and native coin for gas, once in a while.",
    registerTitle: "Register a node", registerText: "A miner needs {miner} CAI of its own, a coordinator {coordinator}. It is taken out of idle stake.",
    consentText: "On the machine that will run the node, make an operator key and let it consent. It holds for an hour:", consent: "What it printed", intro: "What it does, in a sentence or two", maxCommission: "It can never exceed (%)", commissionPercent: "Commission (%)",
    ownAmount: "Own stake (empty: the minimum)", startIt: "When it is registered, start it there:", badConsent: "That is not what cuckoo stake consent prints.",
    stepStake: "1. Stake", stepKey: "2. Operator key", stepProfile: "3. Profile", haveIdle: "You have {cai} CAI of idle stake.",
    nodesHere: "Nodes", eligibleHere: "that carry weight", emission: "Emission a day (CAI)", reserve: "Left to be emitted (CAI)", total: "Weight (CAI)", contracts: "Contracts", rules: "Rules",
    confirm: "Confirm", cancel: "Cancel", signHere: "Sign here", before: "Before you confirm", willBe: "What will have happened", transactions: "Transactions to sign", gasAbout: "about {gas} gas", gasLater: "gas is known when the one before is in a block",
    pending: "{title}: waiting for a block …", done: "{title}: done.", failed: "{title}: the contract refused it.", replaced: "{title}: another transaction of this wallet took its place.", signing: "{title}: being signed and sent …", actFailed: "{title}: {reason}", dismiss: "Dismiss",
    risk_unbonding: "Your stake comes back {seconds} after you take it out, on the next date on which stake is released.",
    risk_slash_votes: "If a jury finds the node at fault, {percent} % of the votes behind it are lost; at most {week} % a week.",
    risk_slash_own: "If a jury finds the node at fault, {percent} % of own stake is lost; for two contradicting signatures {proven} %.",
    risk_slashable_meanwhile: "Until it is free it earns nothing and can still be slashed ({percent} % for each fault).",
    risk_commission: "The commission is {now} %. It may rise to {most} %, {seconds} after it is announced.",
    risk_commission_notice: "A lower commission holds at once, a higher one after {seconds}; voters see it until then.",
    risk_jailed: "This node is in jail until {until}: it earns nothing until it is out.", risk_weightless: "This node carries no weight: it earns nothing now.",
    risk_operator_for_ever: "The operator key is bound to this node for ever.", risk_introduction_public: "The introduction is public on the chain, for ever.",
    risk_own_stake_goes_along: "{cai} CAI of own stake go to the new owner with the node.", risk_old_key_never_again: "The old operator key can never come back.",
    unbondingTime: "Unbonding", notice: "Notice of a higher commission", jail: "Jail", slash: "Slash for a judged fault", proven: "Slash for two contradicting signatures",
    address: "Address", toNode: "To node number",
    did_Registered: "Registered", did_IntroductionChanged: "Introduced itself anew", did_OperatorRotated: "Another operator key", did_OwnerTransferred: "Another owner", did_PayeeChanged: "Another payee",
    did_CommissionAnnounced: "Announced a commission", did_CommissionChanged: "Changed its commission", did_Voted: "Stake came", did_Unvoted: "Stake began to leave", did_Revoted: "Stake stayed after all", did_Released: "Stake left",
    did_Unjailed: "Left jail", did_FeesAdded: "Earned fees", did_Slashed: "Was slashed", did_Penalised: "Paid a fine",
  },
  ko: {
    skip: "본문으로 건너뛰기", brand: "Cuckoo 스테이킹", navigation: "화면", language: "언어", theme: "색상",
    themeAuto: "자동", themeLight: "밝게", themeDark: "어둡게",
    overview: "개요", nodes: "투표", stake: "스테이크", register: "등록", network: "네트워크",
    connect: "지갑 연결", chooseWallet: "지갑을 고르세요", noWallet: "이 브라우저에는 지갑이 없습니다. 지갑을 설치하거나, 이 컴퓨터에서 cuckoo staker --key NAME을 실행하면 그 키가 서명합니다.",
    forgetWallet: "연결 끊기", signsHere: "{address} (이 컴퓨터에서 서명)", switchTo: "이 네트워크로 전환",
    wrongNetwork: "지갑은 체인 {chain}에 있고, 이 페이지는 체인 {wanted}에 대한 것입니다.", connectFirst: "지갑을 연결하면 가진 것이 보입니다.",
    unreachable: "이 페이지의 서버가 응답하지 않습니다. 실행 중인가요?", again: "다시 시도", at: "블록 {block} 기준, {time}.",
    refusedInWallet: "지갑에서 거절했습니다. 아무것도 보내지 않았습니다.", noGas: "가스를 낼 기본 코인이 지갑에 부족합니다.",
    wallet: "지갑", idle: "대기 지분", rewards: "보상", gas: "가스용", behind: "노드 뒤에 있는 지분", out: "나오는 중인 지분",
    nothingBehind: "아직 노드 뒤에 둔 지분이 없습니다.", whomToVote: "누구에게 투표할까요", nothingOut: "나오는 중인 지분이 없습니다.",
    node: "노드", name: "이름", role: "역할", miner: "채굴자", coordinator: "코디네이터", all: "전체", as: "구분", own: "자기 지분", votes: "투표",
    active: "CAI", yearly: "최근 30일의 연 수익률", amount: "수량 (CAI)", free: "풀리는 때", freeNow: "지금", when: "때",
    claim: "청구", claimAll: "모두 청구", compound: "다시 투자", release: "풀린 지분 받기", revote: "다시 일하게 하기", move: "다른 노드로 옮기기",
    unvote: "빼기", vote: "투표", votesFor: "{name}에 투표", unvoteFrom: "{name}에서 빼기", everything: "비우면 전부",
    warnings: "주의", commission_rising: "수수료가 오를 예정", slashed: "삭감된 적 있음", jailed: "감옥", weightless: "가중치 없음",
    search: "검색", order: "순서", eligibleOnly: "가중치가 있는 노드만", weight: "가중치", ownStake: "자기 지분", voted: "투표",
    commission: "수수료", atMost: "최대 {percent} %", yield: "연 수익률", slashes: "삭감", state: "상태", fine: "가중치 있음",
    yieldHow: "오늘의 가중치와 발행량 기준, 수수료를 뺀 값입니다. 이용료는 별도이며, 아무것도 보장되지 않습니다.",
    foundNodes: "노드 {total}개", noNodes: "맞는 노드가 없습니다.", previous: "이전", next: "다음", page: "{total}개 중 {from}–{to}",
    rising: "{time}에 {percent} %로 오름", ownWords: "노드가 한 말", claims: "노드가 한 말은 주장이며 사실이 아닙니다.", links: "링크", location: "위치", url: "주소",
    owner: "소유자", operator: "운영 키", floor: "지켜야 하는 자기 지분", unbonding: "나오는 중 (아직 삭감될 수 있음)", history: "있었던 일", kind: "무엇", block: "블록", numbers: "값", nothingHappened: "아직 없습니다.",
    deposit: "예치", withdraw: "출금", depositText: "지갑에서 대기 지분으로 옮깁니다. 벌지도, 잃지도 않으며 바로 되찾을 수 있습니다.",
    withdrawText: "대기 지분을 바로 지갑으로 되돌립니다.", faucet: "수도꼭지에 요청", faucetText: "테스트 네트워크는 가끔 CAI와 가스용 기본 코인을 줍니다.",
    registerTitle: "노드 등록", registerText: "채굴자는 자기 지분 {miner} CAI, 코디네이터는 {coordinator} CAI가 필요합니다. 대기 지분에서 나갑니다.",
    consentText: "노드를 돌릴 컴퓨터에서 운영 키를 만들고 동의하게 하세요. 한 시간 동안 유효합니다:", consent: "출력된 내용", intro: "무엇을 하는지 한두 문장으로", maxCommission: "절대 넘지 못할 값 (%)", commissionPercent: "수수료 (%)",
    ownAmount: "자기 지분 (비우면 최소)", startIt: "등록되면 그곳에서 시작하세요:", badConsent: "cuckoo stake consent가 출력한 내용이 아닙니다.",
    stepStake: "1. 지분", stepKey: "2. 운영 키", stepProfile: "3. 소개", haveIdle: "대기 지분이 {cai} CAI 있습니다.",
    nodesHere: "노드", eligibleHere: "가중치 있는 노드", emission: "하루 발행량 (CAI)", reserve: "남은 발행량 (CAI)", total: "가중치 (CAI)", contracts: "컨트랙트", rules: "규칙",
    confirm: "확인", cancel: "취소", signHere: "여기서 서명", before: "확인하기 전에", willBe: "이렇게 됩니다", transactions: "서명할 트랜잭션", gasAbout: "가스 약 {gas}", gasLater: "앞의 것이 블록에 들어가면 가스를 알 수 있습니다",
    pending: "{title}: 블록을 기다리는 중 …", done: "{title}: 완료.", failed: "{title}: 컨트랙트가 거절했습니다.", replaced: "{title}: 이 지갑의 다른 트랜잭션이 대신 들어갔습니다.", signing: "{title}: 서명해 보내는 중 …", actFailed: "{title}: {reason}", dismiss: "닫기",
    risk_unbonding: "지분은 빼기 시작한 뒤 {seconds}이 지나고, 다음 지급일에 돌아옵니다.",
    risk_slash_votes: "배심이 노드의 잘못을 인정하면 뒤에 있는 투표의 {percent} %를 잃습니다. 일주일에 최대 {week} %입니다.",
    risk_slash_own: "배심이 노드의 잘못을 인정하면 자기 지분의 {percent} %를, 모순된 두 서명이면 {proven} %를 잃습니다.",
    risk_slashable_meanwhile: "풀릴 때까지 벌지 못하며 여전히 삭감될 수 있습니다 (잘못마다 {percent} %).",
    risk_commission: "수수료는 {now} %입니다. 예고 후 {seconds}이 지나면 {most} %까지 오를 수 있습니다.",
    risk_commission_notice: "낮은 수수료는 바로, 높은 수수료는 {seconds} 뒤에 적용되며 그때까지 투표자에게 보입니다.",
    risk_jailed: "이 노드는 {until}까지 감옥에 있어 벌지 못합니다.", risk_weightless: "이 노드는 지금 가중치가 없어 벌지 못합니다.",
    risk_operator_for_ever: "운영 키는 이 노드에 영원히 묶입니다.", risk_introduction_public: "소개는 체인에 영원히 공개됩니다.",
    risk_own_stake_goes_along: "자기 지분 {cai} CAI가 노드와 함께 새 소유자에게 갑니다.", risk_old_key_never_again: "예전 운영 키는 다시 쓸 수 없습니다.",
    unbondingTime: "지분이 나오는 시간", notice: "수수료 인상 예고", jail: "감옥", slash: "판정된 잘못의 삭감", proven: "모순된 두 서명의 삭감",
    address: "주소", toNode: "옮길 노드 번호",
    did_Registered: "등록", did_IntroductionChanged: "소개를 바꿈", did_OperatorRotated: "운영 키 교체", did_OwnerTransferred: "소유자 변경", did_PayeeChanged: "수령인 변경",
    did_CommissionAnnounced: "수수료 예고", did_CommissionChanged: "수수료 변경", did_Voted: "지분이 들어옴", did_Unvoted: "지분이 나가기 시작", did_Revoted: "지분이 남기로 함", did_Released: "지분이 나감",
    did_Unjailed: "감옥에서 나옴", did_FeesAdded: "이용료를 벎", did_Slashed: "삭감됨", did_Penalised: "벌금을 냄",
  },
};

let words = WORDS.en;
let spoken = "en";

export const language = () => spoken;

export function say(name, values = {}) {
  return words[name].replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}

export function speak(wanted) {
  spoken = wanted in WORDS ? wanted : "en";
  words = WORDS[spoken];
  document.documentElement.lang = spoken;
  for (const one of document.querySelectorAll("[data-i18n]")) one.textContent = say(one.dataset.i18n);
  for (const one of document.querySelectorAll("[data-i18n-label]")) one.setAttribute("aria-label", say(one.dataset.i18nLabel));
  document.title = say("brand");
}
