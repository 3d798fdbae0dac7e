using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.Json;
using System.Text.RegularExpressions;
using TaskService.Tests.Support;
using TaskService.Tests.Tidy;

namespace TaskService.Tests.Template;

/// <summary>
/// In a namespace <c>Acme.Task</c> the word <c>Task</c> is no longer the type, and <c>acme.event</c> is no namespace at
/// all. The template appends <c>Api</c> to such parts of a name where it stands for a namespace.
/// </summary>
public sealed partial class TemplateNameTests
{
    private static readonly Regex[] Patterns = [.. ReadPatterns()];

    [Fact]
    public void Each_type_and_namespace_of_one_word_that_sources_name_is_kept_out_of_namespaces()
    {
        var declared = DeclaredNames();
        var missing = NamesInSources().Where(declared.Contains).Where(name => Safe(name) == name).Order();

        Assert.True(!missing.Any(), $"add to namesInUse in template.json: {string.Join('|', missing)}");
    }

    [Theory]
    [InlineData("Acme.Task", "Acme.TaskApi")]
    [InlineData("Acme.Storage", "Acme.StorageApi")]
    [InlineData("acme.event", "acme.eventApi")]
    [InlineData("System", "SystemApi")]
    [InlineData("Acme.System.Orders", "Acme.SystemApi.Orders")]
    [InlineData("Acme.Orders", "Acme.Orders")]
    [InlineData("Acme.TaskForce", "Acme.TaskForce")]
    [InlineData("Acme.Multitask", "Acme.Multitask")]
    public void A_part_of_a_name_is_changed_only_as_a_whole(string name, string expected) =>
        Assert.Equal(expected, Safe(name));

    /// <summary>The keywords of C# that are reserved everywhere; contextual ones do no harm there.</summary>
    [Fact]
    public void Each_keyword_is_kept_out_of_namespaces()
    {
        const string keywords = "abstract as base bool break byte case catch char checked class const continue"
            + " decimal default delegate do double else enum event explicit extern false finally fixed float for"
            + " foreach goto if implicit in int interface internal is lock long namespace new null object operator out"
            + " override params private protected public readonly ref return sbyte sealed short sizeof stackalloc"
            + " static string struct switch this throw true try typeof uint ulong unchecked unsafe ushort using"
            + " virtual void volatile while";

        Assert.All(keywords.Split(' '), keyword => Assert.Equal($"{keyword}Api", Safe(keyword)));
    }

    private static string Safe(string name) =>
        Patterns.Aggregate(name, (text, pattern) => pattern.Replace(text, "$1Api"));

    private static IEnumerable<Regex> ReadPatterns()
    {
        using var template = JsonDocument.Parse(File.ReadAllText(TestRoot.File(".template.config", "template.json")));
        var forms = template.RootElement.GetProperty("forms");
        foreach (var step in forms.GetProperty("namespace").GetProperty("steps").EnumerateArray())
        {
            var form = forms.GetProperty(step.GetString()!);
            if (form.GetProperty("identifier").GetString() == "replace")
            {
                Assert.Equal("$1Api", form.GetProperty("replacement").GetString());
                yield return new Regex(form.GetProperty("pattern").GetString()!);
            }
        }
    }

    /// <summary>
    /// Words behind no dot, which may be the name of a type or a namespace, and the parts of our namespaces.
    /// </summary>
    private static IEnumerable<string> NamesInSources()
    {
        var words = SourceTree.CSharp.SelectMany(file => OneWord().Matches(file.CSharp.Code));
        var namespaces = SourceTree.CSharp.Select(file => SourceTree.Layout.NamespaceOf(file.Path)).Distinct();
        var parts = namespaces.SelectMany(name => name?.Split('.')[1..] ?? []);
        return words.Select(word => word.Value).Concat(parts).Distinct();
    }

    /// <summary>
    /// The simple names of types, and the parts of namespaces, that sources can use. A nested type is found before any
    /// namespace is.
    /// </summary>
    private static HashSet<string> DeclaredNames()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var assemblies = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Concat(Directory.GetFiles(AppContext.BaseDirectory, "*.dll"));
        foreach (var file in assemblies.DistinctBy(Path.GetFileName))
        {
            using var image = new PEReader(File.OpenRead(file));
            var metadata = image.HasMetadata ? image.GetMetadataReader() : null;
            var isOurs = Path.GetFileName(file).StartsWith(SourceTree.Layout.Folder, StringComparison.Ordinal);
            foreach (var type in metadata?.TypeDefinitions.Select(metadata.GetTypeDefinition) ?? [])
            {
                var visibility = type.Attributes & TypeAttributes.VisibilityMask;
                if (visibility == TypeAttributes.Public || (isOurs && visibility == TypeAttributes.NotPublic))
                {
                    names.Add(metadata!.GetString(type.Name).Split('`')[0]);
                    names.UnionWith(metadata.GetString(type.Namespace).Split('.'));
                }
            }
        }
        return names;
    }

    [GeneratedRegex(@"(?<![\w.@])[A-Z]([a-z]+|[A-Z]*)\d*(?!\w)")]
    private static partial Regex OneWord();
}
