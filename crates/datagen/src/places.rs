//! Places: the prefecture of each department, with its true INSEE and postal codes, and a weight.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A commune.
pub(crate) struct Place {
    /// INSEE code.
    pub(crate) commune: &'static str,
    /// Name.
    pub(crate) name: &'static str,
    /// Postal code.
    pub(crate) postal_code: &'static str,
    /// Department.
    pub(crate) department: &'static str,
    weight: f64,
}

const fn place(department: &'static str, commune: &'static str, name: &'static str, postal_code: &'static str, weight: f64) -> Place {
    Place { commune, name, postal_code, department, weight }
}

/// Draws a place.
pub(crate) fn draw(random: &mut ChaCha8Rng) -> &'static Place {
    let mut rest = random.random::<f64>() * PLACES.iter().map(|place| place.weight).sum::<f64>();
    let found = PLACES.iter().find(|place| {
        rest -= place.weight;
        rest < 0.0
    });
    found.unwrap_or(&PLACES[0])
}

const PLACES: [Place; 101] = [
    place("01", "01053", "BOURG-EN-BRESSE", "01000", 1.0),
    place("02", "02408", "LAON", "02000", 1.0),
    place("03", "03190", "MOULINS", "03000", 1.0),
    place("04", "04070", "DIGNE-LES-BAINS", "04000", 1.0),
    place("05", "05061", "GAP", "05000", 1.0),
    place("06", "06088", "NICE", "06000", 3.0),
    place("07", "07186", "PRIVAS", "07000", 1.0),
    place("08", "08105", "CHARLEVILLE-MEZIERES", "08000", 1.0),
    place("09", "09122", "FOIX", "09000", 1.0),
    place("10", "10387", "TROYES", "10000", 1.0),
    place("11", "11069", "CARCASSONNE", "11000", 1.0),
    place("12", "12202", "RODEZ", "12000", 1.0),
    place("13", "13055", "MARSEILLE", "13001", 5.0),
    place("14", "14118", "CAEN", "14000", 1.0),
    place("15", "15014", "AURILLAC", "15000", 1.0),
    place("16", "16015", "ANGOULEME", "16000", 1.0),
    place("17", "17300", "LA ROCHELLE", "17000", 1.0),
    place("18", "18033", "BOURGES", "18000", 1.0),
    place("19", "19272", "TULLE", "19000", 1.0),
    place("2A", "2A004", "AJACCIO", "20000", 1.0),
    place("2B", "2B033", "BASTIA", "20200", 1.0),
    place("21", "21231", "DIJON", "21000", 1.5),
    place("22", "22278", "SAINT-BRIEUC", "22000", 1.0),
    place("23", "23096", "GUERET", "23000", 1.0),
    place("24", "24322", "PERIGUEUX", "24000", 1.0),
    place("25", "25056", "BESANCON", "25000", 1.2),
    place("26", "26362", "VALENCE", "26000", 1.0),
    place("27", "27229", "EVREUX", "27000", 1.0),
    place("28", "28085", "CHARTRES", "28000", 1.0),
    place("29", "29232", "QUIMPER", "29000", 1.0),
    place("30", "30189", "NIMES", "30000", 1.0),
    place("31", "31555", "TOULOUSE", "31000", 4.0),
    place("32", "32013", "AUCH", "32000", 1.0),
    place("33", "33063", "BORDEAUX", "33000", 4.0),
    place("34", "34172", "MONTPELLIER", "34000", 3.0),
    place("35", "35238", "RENNES", "35000", 3.0),
    place("36", "36044", "CHATEAUROUX", "36000", 1.0),
    place("37", "37261", "TOURS", "37000", 1.0),
    place("38", "38185", "GRENOBLE", "38000", 3.0),
    place("39", "39300", "LONS-LE-SAUNIER", "39000", 1.0),
    place("40", "40192", "MONT-DE-MARSAN", "40000", 1.0),
    place("41", "41018", "BLOIS", "41000", 1.0),
    place("42", "42218", "SAINT-ETIENNE", "42000", 2.0),
    place("43", "43157", "LE PUY-EN-VELAY", "43000", 1.0),
    place("44", "44109", "NANTES", "44000", 4.0),
    place("45", "45234", "ORLEANS", "45000", 1.0),
    place("46", "46042", "CAHORS", "46000", 1.0),
    place("47", "47001", "AGEN", "47000", 1.0),
    place("48", "48095", "MENDE", "48000", 1.0),
    place("49", "49007", "ANGERS", "49000", 1.0),
    place("50", "50502", "SAINT-LO", "50000", 1.0),
    place("51", "51108", "CHALONS-EN-CHAMPAGNE", "51000", 1.0),
    place("52", "52121", "CHAUMONT", "52000", 1.0),
    place("53", "53130", "LAVAL", "53000", 1.0),
    place("54", "54395", "NANCY", "54000", 1.0),
    place("55", "55029", "BAR-LE-DUC", "55000", 1.0),
    place("56", "56260", "VANNES", "56000", 1.0),
    place("57", "57463", "METZ", "57000", 2.0),
    place("58", "58194", "NEVERS", "58000", 1.0),
    place("59", "59350", "LILLE", "59000", 6.0),
    place("60", "60057", "BEAUVAIS", "60000", 1.0),
    place("61", "61001", "ALENCON", "61000", 1.0),
    place("62", "62041", "ARRAS", "62000", 2.0),
    place("63", "63113", "CLERMONT-FERRAND", "63000", 1.0),
    place("64", "64445", "PAU", "64000", 2.0),
    place("65", "65440", "TARBES", "65000", 1.0),
    place("66", "66136", "PERPIGNAN", "66000", 1.0),
    place("67", "67482", "STRASBOURG", "67000", 3.0),
    place("68", "68066", "COLMAR", "68000", 1.0),
    place("69", "69123", "LYON", "69001", 5.0),
    place("70", "70550", "VESOUL", "70000", 1.0),
    place("71", "71270", "MACON", "71000", 1.0),
    place("72", "72181", "LE MANS", "72000", 1.0),
    place("73", "73065", "CHAMBERY", "73000", 1.0),
    place("74", "74010", "ANNECY", "74000", 2.0),
    place("75", "75108", "PARIS", "75008", 14.0),
    place("76", "76540", "ROUEN", "76000", 3.0),
    place("77", "77288", "MELUN", "77000", 2.0),
    place("78", "78646", "VERSAILLES", "78000", 2.0),
    place("79", "79191", "NIORT", "79000", 1.0),
    place("80", "80021", "AMIENS", "80000", 1.0),
    place("81", "81004", "ALBI", "81000", 1.0),
    place("82", "82121", "MONTAUBAN", "82000", 1.0),
    place("83", "83137", "TOULON", "83000", 2.0),
    place("84", "84007", "AVIGNON", "84000", 1.0),
    place("85", "85191", "LA ROCHE-SUR-YON", "85000", 1.0),
    place("86", "86194", "POITIERS", "86000", 1.0),
    place("87", "87085", "LIMOGES", "87000", 1.0),
    place("88", "88160", "EPINAL", "88000", 1.0),
    place("89", "89024", "AUXERRE", "89000", 1.0),
    place("90", "90010", "BELFORT", "90000", 1.0),
    place("91", "91228", "EVRY-COURCOURONNES", "91000", 2.0),
    place("92", "92050", "NANTERRE", "92000", 6.0),
    place("93", "93008", "BOBIGNY", "93000", 3.0),
    place("94", "94028", "CRETEIL", "94000", 3.0),
    place("95", "95500", "PONTOISE", "95300", 2.0),
    place("971", "97105", "BASSE-TERRE", "97100", 1.0),
    place("972", "97209", "FORT-DE-FRANCE", "97200", 1.0),
    place("973", "97302", "CAYENNE", "97300", 1.0),
    place("974", "97411", "SAINT-DENIS", "97400", 1.0),
    place("976", "97608", "MAMOUDZOU", "97600", 1.0),
];
