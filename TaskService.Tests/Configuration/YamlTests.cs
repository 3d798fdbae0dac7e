using System.Text;
using Microsoft.Extensions.Logging;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Telemetry.Logging;
using TaskService.Tests.Support;

namespace TaskService.Tests.Configuration;

/// <summary>What YAML can say, and what it must not do to the process.</summary>
public sealed class YamlTests
{
    private const string Memory = "task-db: { memory: }\n";

    /// <summary>Ten times ten times ten and so on of the same value, by aliases.</summary>
    private static readonly string Bomb = "x-0: &a0 x\n" + string.Concat(
        Enumerable.Range(1, 9).Select(i => $"x-{i}: &a{i} [{Repeated($"*a{i - 1}, ", 10)}]\n"));

    /// <summary>Each alias stands sixty levels below the next.</summary>
    private static readonly string DeepAliases = "x-0: &a0 x\n" + string.Concat(
        Enumerable.Range(1, 2_000).Select(i => $"x-{i}: &a{i} {Nested(60, $"*a{i - 1}")}\n"));

    public static TheoryData<string, string> Refused => new()
    {
        { "a: " + Nested(20_000, "x"), "c.yaml:1: nested more than 100 levels deep" },
        { "a:\n  " + Repeated("- ", 20_000) + "x", "c.yaml:2: nested more than 100 levels deep" },
        { DeepAliases, "c.yaml:3: nested more than 100 levels deep" },
        { Bomb, "c.yaml:6: more than 100000 values, those of aliases included" },
        { Memory + "service: { name: !env X }",
            "c.yaml:2: service.name: unknown tag !env (a value from the environment is written ${NAME})" },
        { Memory + "service: !include { nam: x }", "c.yaml:2: service: unknown tag !include (" },
        { Memory + "service: { trusted-proxies: !!set [x] }",
            "c.yaml:2: service.trusted-proxies: unknown tag tag:yaml.org,2002:set (" },
        { Memory + "service:\n  !key name: x", "c.yaml:3: service.name: unknown tag !key (" },
        { "!doc\n" + Memory, "c.yaml:1: unknown tag !doc (" },
        { Memory + "service:\n  name: a\0b",
            "c.yaml:3: not valid YAML: control character U+0000 (\"\\x00\" is one)" },
        { Memory + "service: { name: a\u0090b }", "c.yaml:2: not valid YAML: control character U+0090 (" },
        { "task-db: { fs: \"data\\0x\" }", "c.yaml:1: task-db.fs: must have no control character, such as U+0000" },
        { "task-db: { fs: \"data\\ax\" }",
            "c.yaml:1: task-db.fs: must have no control character, such as U+0007" },
        { Memory + "logging: { handlers: { f: { type: file, path: \"a\\0b\" } } }",
            "c.yaml:2: logging.handlers.f.path: must have no control character, such as U+0000" },
        { Memory + "telemetry: { exporters: { f: { type: json, path: \"a\\nb\" } } }",
            "c.yaml:2: telemetry.exporters.f.path: must have no control character, such as U+000A" },
        { Memory + "service:\n  name: |\n    x\n",
            "c.yaml:3: service.name: must have no control character, such as U+000A" },
        { Memory + "service:\n  name: x\n  'name': y",
            "c.yaml:4: service.name: duplicate key, first used at c.yaml:3" },
        { Memory + "...\n---\na: 1", "c.yaml:3: only one YAML document is allowed" },
        { Memory + "service: { x-name: y }", "c.yaml:2: service.x-name: unknown key (" },
        { Memory + "service: { <<: text }", "c.yaml:2: service: << must have a mapping, or a list of them, such as " },
        { Memory + "service: { <<: [{ name: x }, [y]] }", "c.yaml:2: service: << must have a mapping, or a list" },
        { Memory + "service:\n  <<: { name: x }\n  <<: { name: y }",
            "c.yaml:4: service.<<: duplicate key, first used at c.yaml:3" },
        { Memory + "service: { '<<': { name: x } }", "c.yaml:2: service.<<: unknown key (" },
        { Memory + "service: { <<: { nam: x } }", "c.yaml:2: service.nam: unknown key (" },
        { Memory + "service: { name: '${A:-{}' }", "c.yaml:2: service.name: ${ without } (braces in a default must " },
        { Memory + "service: { name: '${A:-${B}}' }", "c.yaml:2: service.name: environment variable B is not set (" },
        { Memory + "service: { name: '${A:?no}' }",
            "c.yaml:2: service.name: ${A:?no} is not understood: write ${NAME}" },
        { Memory + "service: { name: '${A-no}' }",
            "c.yaml:2: service.name: ${A-no} is not understood: write ${NAME}" },
        { Memory + "service: { name: '${}' }", "c.yaml:2: service.name: ${} is not understood: write ${NAME}" },
        { Memory + $"service: {{ name: '{Repeated("${A:-", 10_000)}{Repeated("}", 10_000)}' }}",
            "c.yaml:2: service.name: ${ is nested more than 20 levels deep" },
    };

    [Theory]
    [MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public void What_cannot_be_read_is_one_line_that_says_where(string yaml, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read(yaml));
        Assert.StartsWith(problem, Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("${A:-${B:-x}}", "x")]
    [InlineData("${A:-${SET:-x}}", "set")]
    [InlineData("${SET:-${MISSING}}", "set")]
    [InlineData("<${A:-a${B:-b}c}${B:-d}>", "<abcd>")]
    [InlineData("${A:-{\"a\": {}}}!", "{\"a\": {}}!")]
    [InlineData("${SET:-{}}", "set")]
    [InlineData("${A:-$${SET}}", "${SET}")]
    [InlineData("${A:-x:-y}", "x:-y")]
    [InlineData("}{$SET$$", "}{$SET$$")]
    [InlineData("$$${SET}", "$${SET}")]
    public void A_default_may_hold_variables_and_balanced_braces(string value, string expected) =>
        Assert.Equal(expected, Read($"{Memory}service: {{ name: '{value}' }}").Service.Name);

    [Fact]
    public void An_alias_is_a_copy_that_a_layer_above_changes_alone()
    {
        const string yaml = Memory + """
            logging:
              handlers: { one: &h { type: console, level: error }, two: *h }
              loggers: { a: &l { level: error, handlers: [one] }, b: *l }
            """;
        var logging = Read(
            yaml,
            $"{EnvironmentConfig.Prefix}LOGGING__HANDLERS__TWO__LEVEL=debug",
            $"{EnvironmentConfig.Prefix}LOGGING__LOGGERS__A__LEVEL=trace").Logging;
        Assert.Equal((LogLevel.Error, LogLevel.Debug), (logging.Handlers["one"].Level, logging.Handlers["two"].Level));
        Assert.Equal((LogLevel.Trace, LogLevel.Error), (logging.Loggers["a"].Level, logging.Loggers["b"].Level));
    }

    [Fact]
    public void Keys_that_begin_with_x_carry_anchors_to_be_merged_and_local_keys_win()
    {
        const string yaml = Memory + """
            x-file: &file { type: file, level: warning, max-bytes: 100 }
            x-small: &small { max-bytes: 7, backup-count: 1 }
            logging:
              handlers:
                one: { <<: *file, path: one.log, level: error }
                two: { path: two.log, <<: [*small, *file] }
                both: &both { <<: *small, type: file, path: both.log }
                again: { <<: *both, path: again.log }
            """;
        var handlers = Read(yaml, $"{EnvironmentConfig.Prefix}LOGGING__HANDLERS__BOTH__MAX_BYTES=8").Logging.Handlers;
        Assert.Equal(LogLevel.Error, handlers["one"].Level);
        Assert.Equal(new LogFileSettings("one.log", 100, 3), handlers["one"].File);
        Assert.Equal(LogLevel.Warning, handlers["two"].Level);
        Assert.Equal(new LogFileSettings("two.log", 7, 1), handlers["two"].File);
        Assert.Equal(new LogFileSettings("both.log", 8, 1), handlers["both"].File);
        Assert.Equal(new LogFileSettings("again.log", 7, 1), handlers["again"].File);
    }

    [Theory]
    [InlineData("!!str null", "null")]
    [InlineData("!!str 12", "12")]
    [InlineData("! x", "x")]
    [InlineData("\"null\"", "null")]
    public void Tags_of_YAML_itself_are_allowed(string value, string expected) =>
        Assert.Equal(expected, Read($"{Memory}service: {{ name: {value}, port: !!int 1 }}").Service.Name);

    [Theory]
    [InlineData("plain-text.1")]
    [InlineData("null")]
    [InlineData("~")]
    [InlineData("No")]
    [InlineData("12")]
    [InlineData("1_000.5")]
    [InlineData("2026-11-26")]
    [InlineData("- a")]
    [InlineData("a: b # c")]
    [InlineData("'\"\\")]
    [InlineData("[a, b]")]
    [InlineData("*a")]
    [InlineData("%a")]
    [InlineData(" a ")]
    [InlineData("$${HOME} ${HOME} $HOME")]
    [InlineData("é ✓ \u2028\u200e\ufeff\u00ad\ue000 \U0001f600 \U000e0041")]
    public void What_is_printed_is_read_again_as_it_was(string text)
    {
        var handler = $"{text}-";
        var environment = new[]
        {
            $"{EnvironmentConfig.Prefix}SERVICE__NAME={text}",
            $"{EnvironmentConfig.Prefix}LOGGING__HANDLERS__c__PATH={text}",
            $"{EnvironmentConfig.Prefix}LOGGING__ROOT__HANDLERS=c",
            $"{EnvironmentConfig.Prefix}LOGGING__FORMATTERS__{handler}__FIELDS={text}",
        };
        var (settings, source) = Load(
            "a\nb.yaml", Memory + "logging: { handlers: { c: { type: file } } }", environment);
        Assert.Equal(text, settings.Service.Name);
        var printed = Print(source);
        var (again, sourceAgain) = Load("c.yaml", printed, []);
        Assert.Equal(text, again.Service.Name);
        Assert.Equal(text, again.Logging.Handlers["c"].File!.Path);
        Assert.Equal(WithoutSources(printed), WithoutSources(Print(sourceAgain)));
    }

    public static TheoryData<byte[], string> NotUtf8 => new()
    {
        { [.. "a: b\nc: caf"u8, 0xe9, .. "\n"u8], ":2: must be UTF-8, which has no byte 0xE9 there" },
        { [.. "a: "u8, 0xed, 0xa0, 0x80], ":1: must be UTF-8, which has no byte 0xED there" },
        { [.. "a: "u8, 0xe2, 0x82], ":1: must be UTF-8, which has no byte 0xE2 there" },
        { [.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes(Memory)], ":1: must be UTF-8, not UTF-16" },
        { Encoding.Unicode.GetBytes(Memory), ":1: not valid YAML: control character U+0000 (\"\\x00\" is one)" },
        { Encoding.UTF8.GetBytes($"#{new string('x', 1024 * 1024)}"),
            ": the configuration file is larger than 1048576 bytes" },
    };

    [Theory]
    [MemberData(nameof(NotUtf8), DisableDiscoveryEnumeration = true)]
    public void A_file_that_is_not_UTF_8_is_refused_with_its_line(byte[] content, string problem)
    {
        using var directory = new TemporaryDirectory();
        var file = directory.File("c.yaml");
        File.WriteAllBytes(file, content);
        var error = Assert.Throws<ConfigException>(() => Settings.Load(new CommandLineOptions(file)));
        Assert.Equal(file + problem, Assert.Single(error.Problems));
    }

    [Fact]
    public void A_file_may_begin_with_the_mark_of_UTF_8()
    {
        using var directory = new TemporaryDirectory();
        var file = directory.File("c.yaml");
        File.WriteAllText(file, $"{Memory}service: {{ name: é }}", Encoding.UTF8);
        Assert.Equal("é", Settings.Load(new CommandLineOptions(file)).Settings.Service.Name);
    }

    private static string Nested(int depth, string inner) => Repeated("[", depth) + inner + Repeated("]", depth);

    private static string Repeated(string text, int count) => string.Concat(Enumerable.Repeat(text, count));

    private static string[] WithoutSources(string printed) =>
        [.. printed.Split('\n').Select(line => line.Split("  # ")[0].TrimEnd())];

    private static string Print(ConfigSection source)
    {
        using var output = new StringWriter();
        source.Print(output);
        return output.ToString();
    }

    private static Settings Read(string yaml, params string[] variables) =>
        Load("c.yaml", yaml, ["SET=set", .. variables]).Settings;

    private static (Settings Settings, ConfigSection Source) Load(string file, string yaml, string[] variables) =>
        Settings.Read(
            file,
            yaml,
            variables.Select(variable => variable.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]),
            new CommandLineOptions());
}
