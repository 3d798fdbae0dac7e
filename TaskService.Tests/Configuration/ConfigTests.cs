using Microsoft.Extensions.Logging;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Storage;
using TaskService.Telemetry.Logging;
using TaskService.Tests.Support;

namespace TaskService.Tests.Configuration;

public sealed class ConfigTests
{
    private const string Memory = "task-db: { memory: }\n";

    public static TheoryData<string, string[]> ServiceProblems => new()
    {
        { Memory + "service:\n  prot: 1\n  name: x", ["c.yaml:3: service.prot: unknown key (did you mean \"port\"?)"] },
        { Memory + "service: { port: eighty }",
            ["c.yaml:2: service.port: must be a whole number from 0 to 65535, not \"eighty\""] },
        { Memory + "service: { port: 65536 }",
            ["c.yaml:2: service.port: must be a whole number from 0 to 65535, not \"65536\""] },
        { Memory + "service: { port: [1] }", ["c.yaml:2: service.port: must be a single value"] },
        { Memory + "service: { name: }", ["c.yaml:2: service.name: has no value"] },
        { Memory + "service: { name: ' ' }", ["c.yaml:2: service.name: must not be empty"] },
        { Memory + "service: { address: example.org }",
            ["c.yaml:2: service.address: must be an IP address such as 0.0.0.0 or ::, localhost, or * for all, "
                + "not \"example.org\""] },
        { Memory + "service: { address: 8080 }", ["c.yaml:2: service.address: must be an IP address such as "] },
        { Memory + "service: { address: LocalHost, port: 0 }",
            ["c.yaml:2: service.port: no free port is chosen for localhost, which is two addresses; "] },
        { Memory + "service: { trusted-proxies: [10.0.0.1, 10.0.0.0/8, '::1', proxy] }",
            ["c.yaml:2: service.trusted-proxies: must hold addresses and networks such as 10.0.0.1 or 10.0.0.0/8"] },
        { Memory + "service: { tls: { cert: a.pem } }",
            ["c.yaml:2: service.tls.key: is missing: HTTPS takes a certificate and its key"] },
        { Memory + "service: { tls: { key: a.pem } }",
            ["c.yaml:2: service.tls.cert: is missing: HTTPS takes a certificate and its key"] },
        { Memory + "service: { tls: { certificate: a.pem } }",
            ["c.yaml:2: service.tls.certificate: unknown key (allowed: cert, key)"] },
        { Memory + "service: { port: 1 }\nservice: { port: 2 }",
            ["c.yaml:3: service: duplicate key, first used at c.yaml:2"] },
        { Memory + "service: { name: '${MISSING}' }",
            ["c.yaml:2: service.name: environment variable MISSING is not set "
                + "(\"${MISSING:-default}\" gives a default)"] },
        { Memory + "service: { name: '${OPEN' }", ["c.yaml:2: service.name: ${ without }"] },
        { Memory + "service: { port: \"8080\\n\" }",
            ["c.yaml:2: service.port: must be a whole number from 0 to 65535, not \"8080 \""] },
    };

    private static readonly string NoEngine =
        $"task-db: no storage engine is chosen (allowed: {StorageEngines.Names})";

    private static readonly string TwoEngines =
        $"task-db.fs: memory and fs are two storage engines; choose one of {StorageEngines.Names}";

    public static TheoryData<string, string[]> Problems => new()
    {
        { "service: { name: x }", [$"c.yaml:1: {NoEngine}"] },
        { "task-db:", [$"c.yaml:1: {NoEngine}"] },
        { "task-db: { memory: , fs: d }", [$"c.yaml:1: {TwoEngines}"] },
        { "task-db: { memroy: }", ["c.yaml:1: task-db.memroy: unknown key (did you mean \"memory\"?)"] },
        { "task-db: { mongodb: x }",
            [$"c.yaml:1: task-db.mongodb: unknown key (allowed: {StorageEngines.Names})"] },
        { "task-db: memory", ["c.yaml:1: task-db: must be a mapping, such as { key: value }",
            $"c.yaml:1: {NoEngine}"] },
        { "task-db: { memory: 1 }", ["c.yaml:1: task-db.memory: takes no value"] },
        { "task-db: { fs: }", ["c.yaml:1: task-db.fs: has no value", "c.yaml:1: task-db.fs: must name a directory"] },
        { Memory + "servise: { port: 1 }",
            ["c.yaml:2: servise: unknown key (did you mean \"service\"?)"] },
        { Memory + "logging: { root: { level: inof } }",
            ["c.yaml:2: logging.root.level: \"inof\" is not known (did you mean \"info\"?)"] },
        { Memory + "logging: { root: { handlers: [consle] }, handlers: { console: { type: console } } }",
            ["c.yaml:2: logging.root.handlers: \"consle\" is not a handler (did you mean \"console\"?)"] },
        { Memory + "logging: { root: { handlers: console } }",
            ["c.yaml:2: logging.root.handlers: must be a list, such as [a, b]"] },
        { Memory + "logging: { handlers: { a: { type: console }, b: { type: console } }, root: { handlers: [a] } }",
            ["c.yaml:2: logging.handlers.b: no logger uses this handler"] },
        { Memory + "logging: { loggers: { 'Micro*x': { level: info } } }",
            ["c.yaml:2: logging.loggers.Micro*x: must be a name without *; it covers all below it anyhow"] },
        { Memory + "logging: { loggers: { App: { level: info }, app: { level: info } } }",
            ["c.yaml:2: logging.loggers.app: is there already, in another case"] },
        { Memory + "logging: { handlers: { f: { type: file, path: x }, g: { type: file, path: ./x } } }",
            ["c.yaml:2: logging.handlers.g.path: \"./x\" is already written by another handler"] },
        { Memory + "logging: { handlers: { f: { type: file, path: x }, g: { type: file, path: x.3 } } }",
            ["c.yaml:2: logging.handlers.g.path: \"x.3\" is already written by another handler"] },
        { Memory + "logging: { handlers: { f: { type: file, path: x.1 }, g: { type: file, path: x } } }",
            ["c.yaml:2: logging.handlers.g.path: \"x.1\" is already written by another handler"] },
        { Memory + "logging: { loggers: { a: { propagate: maybe } } }",
            ["c.yaml:2: logging.loggers.a.propagate: must be true or false, not \"maybe\""] },
        { Memory + "logging: { handlers: { f: { type: file } } }",
            ["c.yaml:2: logging.handlers.f.path: must name the file to write"] },
        { Memory + "logging: { handlers: { f: { type: console, path: x } } }",
            ["c.yaml:2: logging.handlers.f.path: unknown key (allowed: type, level, format)"] },
        { Memory + "logging: { handlers: { f: { type: file, path: x }, g: { type: file, path: x } } }",
            ["c.yaml:2: logging.handlers.g.path: \"x\" is already written by another handler"] },
        { Memory + "logging: { handlers: { f: { type: console, format: fancy } } }",
            ["c.yaml:2: logging.handlers.f.format: \"fancy\" is not known (allowed: brief, logfmt, json)"] },
        { "service:\n  port: x\n  nam: y\ntask-db: { memory: , fs: d }",
            ["c.yaml:2: service.port: must be a whole number from 0 to 65535, not \"x\"",
             $"c.yaml:4: {TwoEngines}",
             "c.yaml:3: service.nam: unknown key (did you mean \"name\"?)"] },
        { "a: [", ["c.yaml:2: not valid YAML: "] },
        { "- a", ["c.yaml:1: must be a mapping of settings, such as \"service:\""] },
        { "text", ["c.yaml:1: must be a mapping of settings, such as \"service:\""] },
        { Memory + "---\nservice:", ["c.yaml:2: only one YAML document is allowed"] },
        { "task-db: *nowhere", ["c.yaml:1: task-db: no anchor &nowhere stands before this alias"] },
        { "? [a]\n: b", ["c.yaml:1: a key must be a plain name"] },
    };

    public static TheoryData<string> ConfigFiles =>
        [.. Directory.GetFiles(TestRoot.File("configs")).Select(f => Path.GetFileName(f))];

    [Theory]
    [MemberData(nameof(ServiceProblems), DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(Problems), DisableDiscoveryEnumeration = true)]
    public void Every_problem_is_said_at_once_with_file_line_and_path(string yaml, string[] problems)
    {
        var error = Assert.Throws<ConfigException>(() => Read(yaml));
        Assert.Equal(problems.Length, error.Problems.Count);
        Assert.All(
            problems.Zip(error.Problems),
            pair => Assert.StartsWith(pair.First, pair.Second, StringComparison.Ordinal));
        Assert.All(error.Problems, line => Assert.DoesNotContain('\n', line));
    }

    [Theory]
    [MemberData(nameof(ConfigFiles))]
    public void Every_file_that_we_ship_is_right(string file) =>
        Assert.NotNull(Read(File.ReadAllText(TestRoot.File("configs", file)), "PGPASSWORD=secret"));

    [Fact]
    public void Without_a_word_it_is_port_8080_and_lines_on_the_console()
    {
        var settings = Read(Memory);
        Assert.Equal(
            ("TodoList", new ListenAddress("0.0.0.0", 8080)),
            (settings.Service.Name, Assert.Single(settings.Service.Addresses)));
        var (name, handler) = Assert.Single(settings.Logging.Handlers);
        Assert.Null(handler.File);
        Assert.Equal([name], settings.Logging.Root.Handlers);
        Assert.Equal(LogLevel.Information, settings.Logging.Loggers["taskservice"].Level);
        Assert.False(settings.Debug);
    }

    [Fact]
    public void The_local_file_means_what_it_says()
    {
        var logging = Read(File.ReadAllText(TestRoot.File("configs", "todoList-local.yaml"))).Logging;
        Assert.Equal(new LogFileSettings("logs/taskservice.log", 10_485_760, 3), logging.Handlers["file"].File);
        Assert.Equal(LogFormatKind.Logfmt, logging.Handlers["file"].Format.Kind);
        Assert.Equal(
            (LogLevel.Information, LogFormatKind.Brief),
            (logging.Handlers["console"].Level, logging.Handlers["console"].Format.Kind));
        Assert.Equal(["console", "file"], logging.Loggers["taskservice"].Handlers);
        Assert.False(logging.Loggers["taskservice"].Propagate);
        Assert.True(logging.Loggers["Microsoft.AspNetCore"].Propagate);
        Assert.Equal(LogLevel.Warning, logging.Root.Level);
    }

    [Fact]
    public void Debug_lowers_the_level_of_the_service_and_of_the_handlers()
    {
        var settings = Read(
            File.ReadAllText(TestRoot.File("configs", "todoList-container.yaml")), options: new(Debug: true));
        Assert.True(settings.Debug);
        Assert.Equal(LogLevel.Debug, settings.Logging.Loggers["taskservice"].Level);
        Assert.Equal(LogLevel.Debug, settings.Logging.Handlers["console"].Level);
        Assert.Equal(LogLevel.Warning, settings.Logging.Root.Level);
    }

    [Theory]
    [InlineData("", null, 8080)]
    [InlineData("HTTP_PORTS=1", null, 1)]
    [InlineData("HTTP_PORTS=1 ASPNETCORE_HTTP_PORTS=2", null, 2)]
    [InlineData("HTTP_PORTS=1", 3, 3)]
    [InlineData("ASPNETCORE_URLS=http://+:4", 3, 4)]
    [InlineData("ASPNETCORE_URLS=http://[::1]:4/", 3, 4)]
    [InlineData("ASPNETCORE_URLS=http://+:4 TASKSERVICE__SERVICE__PORT=5", 3, 5)]
    [InlineData("TASKSERVICE__SERVICE__PORT=5 PORT=6", 3, 6)]
    [InlineData("TASKSERVICE_PORT=tcp://10.0.0.1:80", 3, 3)]
    [InlineData("PORT=", 3, 3)]
    public void The_port_comes_from_the_place_that_ranks_highest(string environment, int? inFile, int port)
    {
        var yaml = Memory + (inFile is null ? "" : $"service: {{ port: {inFile} }}");
        Assert.Equal(port, Assert.Single(Read(yaml, environment).Service.Addresses).Port);
        Assert.Equal(7, Assert.Single(Read(yaml, environment, new(Port: 7)).Service.Addresses).Port);
    }

    [Theory]
    [InlineData("service: oops\n" + Memory, "PORT=1")]
    [InlineData("task-db: memory", "TASKSERVICE__TASK_DB__FS=x")]
    public void What_a_file_says_wrongly_is_not_hidden_by_what_ranks_above(string yaml, string environment)
    {
        var error = Assert.Throws<ConfigException>(() => Read(yaml, environment, new(Port: 1)));
        Assert.Contains(error.Problems, problem => problem.Contains("must be a mapping", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("PORT=x")]
    [InlineData("TASKSERVICE__SERVICE__PRT=1")]
    [InlineData("TASKSERVICE__NOTHING=1")]
    [InlineData("TASKSERVICE__=1")]
    [InlineData("TASKSERVICE__SERVICE=x")]
    [InlineData("TASKSERVICE__TASK_DB__MEMORY__X=x")]
    [InlineData("TASKSERVICE__TASK_DB__FS=x TASKSERVICE__TASK_DB__MEMORY=")]
    public void A_variable_that_cannot_be_used_is_a_problem_that_names_it(string environment)
    {
        var problem = Assert.Single(Assert.Throws<ConfigException>(() => Read(Memory, environment)).Problems);
        var name = environment[..environment.IndexOf('=', StringComparison.Ordinal)];
        Assert.StartsWith($"environment {name}: ", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void An_engine_in_the_environment_replaces_the_one_of_the_file()
    {
        using var directory = new TemporaryDirectory();
        var fs = Print(Memory, $"TASKSERVICE__TASK_DB__FS={directory.Path}");
        Assert.Contains("fs:", fs, StringComparison.Ordinal);
        Assert.DoesNotContain("memory", fs, StringComparison.Ordinal);
        var memory = Print("task-db: { fs: x }", "TASKSERVICE__TASK_DB__MEMORY=");
        Assert.Contains("memory:", memory, StringComparison.Ordinal);
    }

    [Fact]
    public void A_variable_reaches_any_setting_whatever_the_case_of_its_name()
    {
        const string yaml = Memory + """
            logging:
              handlers: { console: { type: console }, other: { type: console } }
              loggers: { Microsoft.AspNetCore: { level: warning } }
            """;
        var settings = Read(yaml,
            "TASKSERVICE__LOGGING__LOGGERS__MICROSOFT_ASPNETCORE__LEVEL=debug "
            + "TASKSERVICE__LOGGING__LOGGERS__System.Net__LEVEL=error "
            + "TASKSERVICE__LOGGING__ROOT__HANDLERS=console,other "
            + "TASKSERVICE__SERVICE__REQUEST_ID_HEADER=My-Id");
        Assert.Equal(LogLevel.Debug, settings.Logging.Loggers["Microsoft.AspNetCore"].Level);
        Assert.Equal(LogLevel.Error, settings.Logging.Loggers["System.Net"].Level);
        Assert.Equal(["console", "other"], settings.Logging.Root.Handlers);
        Assert.Equal("My-Id", settings.Service.RequestIdHeader);
    }

    [Theory]
    [InlineData("${A}", "one")]
    [InlineData("x${A}y${B:-two}z", "xoneytwoz")]
    [InlineData("${EMPTY:-default}", "default")]
    [InlineData("x${EMPTY}", "x")]
    [InlineData("${A:-ignored}", "one")]
    [InlineData("${B:-}x", "x")]
    [InlineData("$${A} $A", "${A} $A")]
    public void Names_in_values_are_filled_in_from_the_environment(string value, string expected) =>
        Assert.Equal(expected, Read($"{Memory}service: {{ name: '{value}' }}", "A=one EMPTY=").Service.Name);

    [Theory]
    [InlineData("path: x, backup-count: 2", "path: x.3")]
    [InlineData("path: x, backup-count: 0", "path: x.1")]
    [InlineData("path: x, max-bytes: 0", "path: x.1")]
    [InlineData("path: x.y", "path: x.z")]
    public void Files_of_handlers_may_have_like_names_that_no_rotation_writes(string one, string other) =>
        Assert.Equal(2, Read(
            $"{Memory}logging: {{ handlers: {{ f: {{ type: file, {one} }}, g: {{ type: file, {other} }} }} }}")
            .Logging.Handlers.Count);

    [Theory]
    [InlineData("yes", true)]
    [InlineData("Yes", true)]
    [InlineData("ON", true)]
    [InlineData("y", true)]
    [InlineData("TRUE", true)]
    [InlineData("no", false)]
    [InlineData("Off", false)]
    [InlineData("n", false)]
    [InlineData("False", false)]
    public void A_boolean_is_said_in_the_words_of_YAML_1_1(string word, bool value) =>
        Assert.Equal(value, Read($"{Memory}http: {{ server-timing: {word} }}").Http.ServerTiming);

    [Theory]
    [InlineData("INFO", LogLevel.Information)]
    [InlineData("Debug", LogLevel.Debug)]
    [InlineData("WARN", LogLevel.Warning)]
    [InlineData("WARNING", LogLevel.Warning)]
    [InlineData("CRITICAL", LogLevel.Critical)]
    public void A_level_is_named_in_any_case(string name, LogLevel level) =>
        Assert.Equal(level, Read($"{Memory}logging: {{ root: {{ level: {name} }} }}").Logging.Root.Level);

    [Fact]
    public void A_variable_with_the_prefix_in_another_case_is_warned_of()
    {
        var mixed = $"{EnvironmentConfig.Prefix[0]}{EnvironmentConfig.Prefix[1..].ToLowerInvariant()}SERVICE__PORT";
        var settings = Read(Memory, $"{mixed}=1 {EnvironmentConfig.Prefix}SERVICE__NAME=x");
        Assert.Equal(8080, Assert.Single(settings.Service.Addresses).Port);
        Assert.Equal(
            $"environment {mixed}: is ignored: names of settings begin with {EnvironmentConfig.Prefix}",
            Assert.Single(settings.Warnings));
    }

    [Fact]
    public void Anchors_can_be_used() =>
        Assert.Equal(LogLevel.Error, Read(
            Memory + "logging: { loggers: { a: &quiet { level: error }, b: *quiet } }").Logging.Loggers["b"].Level);

    [Fact]
    public void Print_shows_each_value_with_its_source_as_YAML_that_can_be_read_again()
    {
        var printed = Print(Memory + "service:\n  name: 'my \"list\"'", "PORT=9");
        Assert.Matches("(?m)^  name: \"my \\\\\"list\\\\\"\" +# c.yaml:3$", printed);
        Assert.Matches("(?m)^  port: 9 +# environment PORT$", printed);
        Assert.Matches("(?m)^  address: 0.0.0.0 +# default$", printed);
        Assert.Equal(9, Assert.Single(Read(printed).Service.Addresses).Port);
        Assert.Equal("my \"list\"", Read(printed).Service.Name);
    }

    [Fact]
    public void A_setting_of_the_command_line_is_over_the_environment_and_the_file()
    {
        var options = new CommandLineOptions(Settings: new Dictionary<string, string>
        {
            ["service:name"] = "third",
            ["service:pre-stop-delay-ms"] = "x",
            ["task-db:fs"] = "store",
            ["nothing:there"] = "1",
        });
        var error = Assert.Throws<ConfigException>(() => Read(
            Memory + "service: { name: first, port: 8081 }", "TASKSERVICE__SERVICE__NAME=second", options));
        Assert.Equal(
            [
                "--service:pre-stop-delay-ms: service.pre-stop-delay-ms: must be a whole number from 0 to 600000, "
                    + "not \"x\"",
                "--nothing:there: nothing: unknown key (allowed: service, http, logging, telemetry, operations, "
                    + "task-db, Kestrel)",
            ],
            error.Problems);
        var mended = new CommandLineOptions(Settings: new Dictionary<string, string> { ["service:name"] = "third" });
        var settings = Read(
            Memory + "service: { name: first, port: 8081 }", "TASKSERVICE__SERVICE__NAME=second", mended);
        Assert.Equal(("third", 8081), (settings.Service.Name, settings.Service.Addresses[0].Port));
    }

    private static Settings Read(string yaml, string environment = "", CommandLineOptions? options = null) =>
        Load(yaml, environment, options).Settings;

    private static string Print(string yaml, string environment)
    {
        using var output = new StringWriter();
        Load(yaml, environment, null).Source.Print(output);
        return output.ToString().ReplaceLineEndings("\n");
    }

    private static (Settings Settings, ConfigSection Source) Load(
        string yaml, string environment, CommandLineOptions? options)
    {
        var variables = environment.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        return Settings.Read("c.yaml", yaml, variables, options ?? new CommandLineOptions());
    }
}
