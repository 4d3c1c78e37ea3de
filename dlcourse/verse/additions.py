"""What the rhyme table leaves out of Tang texts: usual variant forms of its characters, and some readings.

The table lacks 2.1 % of the characters of the Complete Tang Poems (全唐詩), nearly all because the edition prints
other forms of characters that the table has (爲 for 為, 羣 for 群); with these lists, 0.2 %. Readings are those of the
Guangyun (廣韻, 1008), under the category that Pingshui merges its rhyme into; where it lacks a character, those of the
one it stands for; 粗, 判 and 茆 are read as the poems use them, for 麤, 拚 and 茅. Both lists go down to characters
that occur about ten times; each was compared with the tones that the poems want where the character stands.
"""

from __future__ import annotations

from collections.abc import Mapping

READINGS: Mapping[str, str] = {
    "東": "蔥葱怱悤椶",
    "冬": "疼",
    "支": "隳縲鷥搘䍦獼鳷",
    "魚": "舁轝",
    "虞": "爐菩粗蝴葡鸜",
    "齊": "啼嗁恓",
    "灰": "腮顋",
    "真": "珉",
    "元": "鵾",
    "寒": "判",
    "先": "先僊燃胭臙蝙甎塼",
    "蕭": "嶤徭",
    "肴": "茆",
    "歌": "麽它挲",
    "麻": "槎",
    "陽": "昂嫦糠罡彊麞",
    "庚": "秔粳",
    "青": "嚀",
    "蒸": "姮凭",
    "尤": "飀",
    "侵": "沉",
    "覃": "慙慚",
    "腫": "塚",
    "紙": "伎嘴",
    "語": "籞簴",
    "麌": "覩睹塢",
    "旱": "浣椀碗盌",
    "潸": "剗",
    "銑": "謇",
    "篠": "騕",
    "巧": "齩",
    "皓": "稿藁",
    "養": "髣",
    "梗": "穽",
    "迥": "並竝",
    "御": "濾覰覷轝",
    "遇": "袴喻",
    "霽": "蚋",
    "震": "胤",
    "願": "噀",
    "翰": "熳嘆",
    "霰": "遍徧鷰麵麪",
    "效": "斅",
    "號": "竈灶",
    "禡": "咤",
    "徑": "亙亘凭",
    "宥": "嗅齅",
    "屋": "曝",
    "沃": "斸劚",
    "覺": "鷟矟",
    "質": "戌蟋",
    "物": "髴彿歘",
    "月": "襪韈韤",
    "曷": "枿撒",
    "屑": "朅鴂桔糵蘖",
    "藥": "礴雘",
    "陌": "跡迹蹟舃",
    "錫": "冪皙鸊闃",
    "職": "鶒蔔",
    "緝": "澀澁",
    "葉": "蜨氎",
}
"""Readings to add, as the table has them: the name of a category and characters that belong to it."""

_FORMS = """
爲為 溪谿 却卻 迴回 廻回 羣群 疎疏 踈疏 劒劍 衆眾 牀床 荆荊 猨猿 岳嶽 簷檐 峯峰 啓啟 幷并 倂併 堤隄 脚腳 逕徑
烟煙 鑒鑑 髪髮 棊棋 碁棋 稜棱 着著 恆恒 脉脈 笋筍 鉢缽 掛挂 盃杯 敎教 衮袞 粧妝 僞偽 虬虯 針鍼 耻恥 墻牆 叶協
徴徵 污汙 汚汙 鈎鉤 勾鉤 効效 衞衛 皂皁 鷄雞 灾災 艷豔 擡抬 踪蹤 膻羶 搗擣 勅敕 勑敕 岩巖 嵓巖 駡罵 强強 敍敘
鷀鶿 猪豬 狸貍 携攜 擕攜 凉涼 唇脣 踴踊 飱飧 撃擊 虱蝨 冲沖 兹茲 粤粵 遥遙 争爭 綫線 静靜 頴穎 准準 藴蘊 簑蓑
溆漵 咏詠 隣鄰 讐讎 鵶鴉 牋箋 堦階 樽尊 罇尊 掃埽 鬬鬥 斾旆 棹櫂 蘂蕊 臯皋 皐皋 珮佩 飜翻 秪只 秖只 暎映 倏儵
倐儵 懶嬾 妬妒 抄鈔 檝楫 呌叫 珪圭 顇悴 巵卮 顦憔 鏁鎖 逈迥 坂阪 缾瓶 壻婿 壠壟 栢柏 忻欣 棃梨 犂犁 盞琖 鸎鶯
筯箸 帬裙 牕窗 窓窗 窻窗 藂叢 趂趁 邨村 懽歡 鱠膾 飡餐 虵蛇 峩峨 輭軟 畧略 悞誤 悮誤 欵款 穉稚 鼈鱉 湼涅 輙輒
瓌瑰 胷胸 廐廄 恡吝 炁氣 蕚萼 筭算 磵澗 厓崖 塲場 鳯鳳 攲欹 敧欹 尅克 瑯琅 粘黏 襃褒 槩概 斵斲 菓果 秤稱 頳赬
蠭蜂 隟隙 謌歌 陁陀 匳奩 崗岡 羗羌 濶闊 迺乃 瑠琉 蟇蟆 躭耽 覊羈 麄麤 翺翱 仝同 嘿默 刼劫 鰕蝦 鄽廛 駈驅 駞駝
緫總 澘潸 氊氈 竚佇 箒帚 啣銜 憇憩 飈飆 糺糾 笻筇 呪咒 葅菹 餙飾 畊耕 髠髡 狥徇 覔覓 婬淫 朶朵 攷考 壍塹 帀匝
袵衽 緜綿 煉鍊 孃娘 鉏鋤 灧灩 姹奼 緼縕 勛勳 嚙齧 洒灑 捍扞 絶絕 疴痾 唤喚
"""

VARIANTS: Mapping[str, str] = {pair[0]: pair[1] for pair in _FORMS.split()}
"""From a form that the table does not have to the form that it has, with the same readings."""
