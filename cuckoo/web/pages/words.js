// Words of the page, by language. {name} is filled in.
export const WORDS = {
  en: {
    skip: "Skip to the prompt", claim: "Pictures drawn by other people's GPUs, each with a signed receipt.",
    language: "Language", theme: "Colours", themeAuto: "Automatic", themeLight: "Light", themeDark: "Dark",
    ask: "Ask for a picture", prompt: "What do you want to see?", model: "Model", pictures: "Pictures", more: "More",
    width: "Width", height: "Height", steps: "Steps", seed: "Seed", negative: "What should not be in it?",
    key: "API key, where this coordinator wants one (kept until you close this tab)",
    draw: "Draw", cancel: "Take it back", hint: "Ctrl + Enter draws", result: "The picture", empty: "Here it will appear.",
    story: "Its story", save: "Save the PNG, receipt inside", permalink: "Link to this task", verify: "Check it yourself:",
    gallery: "Your pictures in this browser", galleryEmpty: "None yet.", network: "The network here, now",
    fairTitle: "Does the draw keep to the odds?",
    fairText: "Each dot is a miner: the tasks it was given here against the sum of its odds. Within the band, chance explains it.",
    asTable: "The same as a table", api: "API", raw: "Network as JSON",
    atModel: "the model's", atRandom: "at random", nobody: "{title} (no miner now)",
    sent: "Asked.", queued: "Waits. {position} before it.", queuedNext: "Waits; it is next.",
    eta: "About {seconds} s more, nine times of ten within {late}.",
    again: "Back in the queue: {reason}",
    drawn: "Drawn: miner {miner}, among {candidates} with odds of {odds} %.",
    drawing: "Step {step} of {steps}", done: "Done after {seconds} s.",
    signed: "Signed by {operator}: the pixels, each step, and on what it ran ({profile}).",
    failed: "It could not be drawn: {reason}", cancelled: "Taken back.", lost: "The connection broke. Trying again …",
    unreachable: "The coordinator does not answer. Is it running?",
    tileMiners: "Miners at work", tileStake: "Their stake (CAI)", tileWaiting: "Waiting", tileRunning: "Being drawn", tileDone: "Done here", tileRate: "Done a minute",
    xAxis: "sum of its odds", yAxis: "tasks it was given", noWork: "No work has been done here yet.",
    colMiner: "Miner", colStake: "Stake (CAI)", colExpected: "Sum of odds", colDone: "Done", colFailed: "Failed",
    pictureOf: "Picture: {prompt}", previewOf: "How it stands now: {prompt}",
  },
  ko: {
    skip: "프롬프트로 건너뛰기", claim: "다른 사람들의 GPU가 그린 그림, 모두 서명된 영수증과 함께.",
    language: "언어", theme: "색상", themeAuto: "자동", themeLight: "밝게", themeDark: "어둡게",
    ask: "그림 요청하기", prompt: "무엇을 보고 싶으세요?", model: "모델", pictures: "그림 수", more: "더 보기",
    width: "너비", height: "높이", steps: "단계", seed: "시드", negative: "무엇이 없어야 하나요?",
    key: "API 키 (이 코디네이터가 요구하는 경우, 탭을 닫을 때까지만 보관)",
    draw: "그리기", cancel: "취소하기", hint: "Ctrl + Enter 로 그리기", result: "그림", empty: "여기에 나타납니다.",
    story: "그림의 이야기", save: "영수증이 든 PNG 저장", permalink: "이 작업의 링크", verify: "직접 확인하세요:",
    gallery: "이 브라우저의 내 그림", galleryEmpty: "아직 없습니다.", network: "지금 이 네트워크",
    fairTitle: "추첨은 확률대로인가요?",
    fairText: "점 하나가 채굴자 하나입니다: 확률의 합에 대한 이곳에서 받은 작업 수. 띠 안에 있으면 우연으로 설명됩니다.",
    asTable: "표로 보기", api: "API", raw: "네트워크 JSON",
    atModel: "모델 기본값", atRandom: "무작위", nobody: "{title} (지금 채굴자 없음)",
    sent: "요청했습니다.", queued: "대기 중. 앞에 {position}개.", queuedNext: "대기 중. 다음 차례입니다.",
    eta: "약 {seconds}초 남음 (열 번 중 아홉 번은 {late}초 안에).",
    again: "다시 대기열로: {reason}",
    drawn: "추첨: 채굴자 {miner}, 후보 {candidates}명 중 확률 {odds} %.",
    drawing: "{steps}단계 중 {step}단계", done: "{seconds}초 만에 완성.",
    signed: "{operator} 서명: 픽셀, 모든 단계, 실행 환경({profile}).",
    failed: "그리지 못했습니다: {reason}", cancelled: "취소했습니다.", lost: "연결이 끊겼습니다. 다시 시도합니다 …",
    unreachable: "코디네이터가 응답하지 않습니다. 실행 중인가요?",
    tileMiners: "일하는 채굴자", tileStake: "그들의 지분 (CAI)", tileWaiting: "대기", tileRunning: "그리는 중", tileDone: "이곳에서 완료", tileRate: "분당 완료",
    xAxis: "확률의 합", yAxis: "받은 작업", noWork: "아직 이곳에서 한 일이 없습니다.",
    colMiner: "채굴자", colStake: "지분 (CAI)", colExpected: "확률의 합", colDone: "완료", colFailed: "실패",
    pictureOf: "그림: {prompt}", previewOf: "지금까지의 모습: {prompt}",
  },
};

let words = WORDS.en;

export function say(name, values = {}) {
  return words[name].replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}

export function speak(language) {
  words = WORDS[language] ?? WORDS.en;
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-i18n]")) element.textContent = say(element.dataset.i18n);
}
