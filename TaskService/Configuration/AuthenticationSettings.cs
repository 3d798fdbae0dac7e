using System.Security.Cryptography;
using System.Text;

namespace TaskService.Configuration;

/// <summary>Who may use the API: <c>http.authentication</c>, and the keys beside it.</summary>
/// <param name="Type">By which clients show who they are.</param>
/// <param name="ApiKeys">Those of the configuration.</param>
/// <param name="ApiKeysFile">Has more of them; empty for none.</param>
/// <param name="Jwt">Of tokens.</param>
internal sealed record AuthenticationSettings(
    AuthenticationType Type, IReadOnlyList<ApiKey> ApiKeys, string ApiKeysFile, JwtSettings Jwt)
{
    private const string Section = "authentication";
    private const string TypeKey = "type";
    private const string KeysSection = "api-keys";
    private const string FileKey = "api-keys-file";

    private static readonly (string, AuthenticationType)[] Types =
    [
        ("none", AuthenticationType.None), (KeysSection, AuthenticationType.ApiKeys), ("jwt", AuthenticationType.Jwt),
    ];

    /// <summary>Makes <c>{ type: WORD }</c> of a word alone, so that settings can be written beside it.</summary>
    public static void Expand(ConfigMap root)
    {
        if (root.Members.GetValueOrDefault("http") is ConfigMap http
            && http.Members.GetValueOrDefault(Section) is ConfigScalar { Text: not null } word)
        {
            var map = new ConfigMap(word.Where);
            map.Members[TypeKey] = word;
            http.Members[Section] = map;
        }
    }

    /// <param name="http">Has the section.</param>
    /// <param name="hasSchemes">Whether there is a section Authentication, which may have the keys of tokens.</param>
    public static AuthenticationSettings Read(ConfigSection http, bool hasSchemes)
    {
        var section = http.Section(Section);
        var type = section.Choice(TypeKey, AuthenticationType.None, Types);
        var settings = new AuthenticationSettings(
            type, ReadKeys(http.Section(KeysSection)), http.Text(FileKey, ""), JwtSettings.Read(section));
        var hasKeys = settings.ApiKeys.Count > 0 || settings.ApiKeysFile.Length > 0;
        if (section.Find(TypeKey) is null && (section.Keys.Any() || hasKeys))
        {
            // Else someone would believe that the API is closed.
            http.Problem(Section, "is missing beside its settings: none, api-keys or jwt");
        }
        else if (type == AuthenticationType.ApiKeys && !hasKeys)
        {
            section.Problem(TypeKey, $"{KeysSection} needs http.{KeysSection} or http.{FileKey}");
        }
        else if (type == AuthenticationType.Jwt)
        {
            settings.Jwt.Check(section, hasSchemes);
        }
        return settings;
    }

    private static List<ApiKey> ReadKeys(ConfigSection section)
    {
        var keys = new List<ApiKey>();
        foreach (var name in section.Keys)
        {
            var text = section.Text(name, "", ConfigProblems.Masked);
            // As secrets of operations, an empty one is none.
            if (text.Length > 0 && ApiKey.Add(keys, name, text) is { } problem)
            {
                section.Problem(name, problem);
            }
        }
        return keys;
    }
}

/// <summary>How clients show who they are.</summary>
internal enum AuthenticationType
{
    /// <summary>Not at all: the API is open.</summary>
    None,

    /// <summary>By a key each.</summary>
    ApiKeys,

    /// <summary>By a token that someone else has signed (RFC 7519).</summary>
    Jwt,
}

/// <param name="Name">Of the client.</param>
/// <param name="Hash">SHA-256 of the key.</param>
internal sealed record ApiKey(string Name, byte[] Hash)
{
    private const int KeysMax = 1_000;
    private const int KeyCharactersMin = 16;
    private const int NameCharactersMax = 64;

    /// <summary>Adds a key that is in order.</summary>
    /// <returns>What is wrong with it, without the key; null when nothing is.</returns>
    public static string? Add(List<ApiKey> keys, string name, string text)
    {
        var key = new ApiKey(name, SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        var problem = name.Length is < 1 or > NameCharactersMax
            || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '@')
                ? $"a name has 1 to {NameCharactersMax} characters: letters, digits, - _ . and @"
            : text.Length < KeyCharactersMin ? $"a key must have at least {KeyCharactersMin} characters"
            : text.Any(c => c is < '!' or > '~') ? "a key must have visible ASCII characters only"
            : keys.Count == KeysMax ? $"there may be {KeysMax} keys"
            : keys.Find(one => one.Name == name) is not null ? "the name is there already"
            : keys.Find(one => one.Hash.AsSpan().SequenceEqual(key.Hash)) is { } same ? $"has the key of {same.Name}"
            : null;
        if (problem is null)
        {
            keys.Add(key);
        }
        return problem;
    }
}
